#!lua flags=allow-oom
-- Forgets jobs that ended long enough ago, or that are too many.
--
-- KEYS  ended:<how>. ARGV 1 how, 2 kept for (ms), 3 kept at most, 4 how many to forget at most (1..100).
-- Pre   the job ended more than (2) ago, or more than (3) ended after it. Post no key of it is left.
-- Reply {now, forgotten}.

local index = key(ENDED, arg(1))
local most = tonumber(arg(4))
local ids = redis.call('ZRANGE', index, '-inf', NOW_MS - tonumber(arg(2)), 'BYSCORE', 'LIMIT', 0, most)
if #ids < most then
  local excess = redis.call('ZCARD', index) - tonumber(arg(3))
  if excess > #ids then ids = redis.call('ZRANGE', index, 0, math.min(excess, most) - 1) end
end
local fingerprints = {}
for i, id in ipairs(ids) do fingerprints[i] = redis.call('HGET', key(JOB, id), 'unique') end
for i, id in ipairs(ids) do
  redis.call('ZREM', index, id)
  forget(id, fingerprints[i])
end
return { NOW_MS, #ids }
