-- What an index has kept for long enough, or too much of, the oldest first. Shared by trim, flow_trim,
-- bury.

local function aged(index, kept_ms, kept, most)
  local ids = redis.call('ZRANGE', index, '-inf', NOW_MS - kept_ms, 'BYSCORE', 'LIMIT', 0, most)
  local excess = math.min(redis.call('ZCARD', index) - kept, most)
  if excess > #ids then ids = redis.call('ZRANGE', index, 0, excess - 1) end
  return ids
end

-- Every key of a job but its place in an index.
local function forget(id, fingerprint)
  if fingerprint and redis.call('GET', key(UNIQUE, fingerprint)) == id then redis.call('DEL', key(UNIQUE, fingerprint)) end
  redis.call('ZREM', key(EXPIRES), id)
  redis.call('ZREM', key(TIMEOUTS), id)
  redis.call('DEL', key(JOB, id), key(ENV, id), key(OUT, id), key(ERRORS, id), key(PROGRESS, id))
end
