#!lua flags=allow-oom
-- Lists the leases that have ended, unless Redis was away.
--
-- After a freeze or a restart every lease looks overdue while its worker is healthy and only could not say so. Hence the
-- hold-off is decided here: a process that asks on time may be answered late.
--
-- KEYS  reaper, leases. ARGV 1 how many at most, 2 gap (ms) between two calls that means Redis was away, 3 hold-off (ms).
-- Post  the tick is noted. Reply {now, held (0 | 1), {id, lease, field, value…}…}.

local tick = redis.call('HMGET', key(REAPER), 'tick', 'hold')
local hold = tonumber(tick[2] or '0')
if tick[1] and NOW_MS - tonumber(tick[1]) > tonumber(arg(2)) then hold = NOW_MS + tonumber(arg(3)) end
-- A clock set back must not hold longer than the hold-off itself.
hold = math.min(hold, NOW_MS + tonumber(arg(3)))
local reply = { NOW_MS, hold > NOW_MS and 1 or 0 }
if hold <= NOW_MS then
  local ids = redis.call('ZRANGE', key(LEASES), '-inf', NOW_MS, 'BYSCORE', 'LIMIT', 0, arg(1))
  for _, id in ipairs(ids) do
    local flat = redis.call('HGETALL', key(JOB, id))
    table.insert(reply, { id, redis.call('GET', key(ENV, id)) or '', flat })
  end
end
redis.call('HSET', key(REAPER), 'tick', NOW_MS, 'hold', hold)
return reply
