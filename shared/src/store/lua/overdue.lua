#!lua flags=allow-oom
-- Lists the leases that have ended, unless Redis was away.
--
-- After a freeze or a restart every lease looks overdue while its worker is healthy and only could not say so. Hence the
-- hold-off is decided here: a process that asks on time may be answered late.
--
-- A clock that was set back leaves deadlines that lie far ahead: each is brought down to its own length from now. Those of
-- workers that live are extended by their next heartbeat, as ever.
--
-- KEYS  reaper, leases. ARGV 1 how many at most, 2 gap (ms) between two calls that means Redis was away, 3 hold-off (ms).
-- Post  the tick is noted. Reply {now, held (0 | 1), {id, envelope, record}…}.

return function()
  local LEASES_AT_ONCE = 100

  -- How many of the leases that end last were brought down.
  local function bring_down()
    local ids = redis.call('ZRANGE', key(LEASES), '+inf', NOW_MS, 'BYSCORE', 'REV', 'LIMIT', 0, LEASES_AT_ONCE, 'WITHSCORES')
    local brought = 0
    for i = 1, #ids, 2 do
      local job = job_read(ids[i])
      local held_ms = job and tonumber(job.held)
      if held_ms and tonumber(ids[i + 1]) > NOW_MS + held_ms then
        redis.call('ZADD', key(LEASES), 'XX', NOW_MS + held_ms, ids[i])
        brought = brought + 1
      end
    end
    return brought
  end

  local tick = redis.call('HMGET', key(REAPER), 'tick', 'hold', 'back')
  local hold = tonumber(tick[2] or '0')
  if tick[1] and NOW_MS - tonumber(tick[1]) > tonumber(arg(2)) then hold = NOW_MS + tonumber(arg(3)) end
  -- A clock set back must not hold longer than the hold-off itself.
  hold = math.min(hold, NOW_MS + tonumber(arg(3)))
  local reply = { NOW_MS, hold > NOW_MS and 1 or 0 }
  if hold <= NOW_MS then
    local ids = redis.call('ZRANGE', key(LEASES), '-inf', NOW_MS, 'BYSCORE', 'LIMIT', 0, arg(1))
    for _, id in ipairs(ids) do
      table.insert(reply, { id, redis.call('GET', key(ENV, id)) or '', redis.call('GET', key(JOB, id)) or '' })
    end
  end
  -- A hundred a call, until there are none.
  local was_set_back = tick[1] and tonumber(tick[1]) - NOW_MS > tonumber(arg(2))
  local is_left = (was_set_back or tick[3]) and bring_down() > 0
  redis.call('HSET', key(REAPER), 'tick', NOW_MS, 'hold', hold)
  if is_left then redis.call('HSET', key(REAPER), 'back', '1') elseif tick[3] then redis.call('HDEL', key(REAPER), 'back') end
  return reply
end
