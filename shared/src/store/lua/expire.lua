#!lua flags=allow-oom
-- Discards what was not claimed in time.
--
-- KEYS  events, expires, due, parked, ended:discarded. ARGV 1 how many at most (1..100).
-- Pre   the job's time has passed, and it is available, scheduled or pending. Each job is a unit: the end of one may let
--       another go. Reply {now, looked at}.

return function()
  local ids = redis.call('ZRANGE', key(EXPIRES), '-inf', NOW_MS, 'BYSCORE', 'LIMIT', 0, arg(1))
  redis.call('ZCARD', key(ENDED, 'discarded'))
  redis.call('ZCARD', key(PARKED))
  for _, id in ipairs(ids) do
    expire_if_due(id)
    redis.call('ZREM', key(EXPIRES), id)
  end
  return { NOW_MS, #ids }
end
