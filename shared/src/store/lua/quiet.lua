#!lua flags=allow-oom
-- Notes that a worker is handed no jobs here, or takes the note back.
--
-- KEYS  events, quiet. ARGV 1 worker, 2 for how long (ms; "" to take the note back), 3 what the note to be taken back says: until
--       when (ms).
-- Pre   to take it back: it says just that, or it is another.
-- Post  `quiet` says until when, never less long than before; notes whose time has passed are gone.
-- Reply {"ok", now}.

return function()
  local worker, till = arg(1), redis.call('ZSCORE', key(QUIET), arg(1))
  if arg(2) == '' then
    if till == arg(3) then redis.call('ZREM', key(QUIET), worker) end
    return { 'ok', NOW_MS }
  end
  redis.call('ZREMRANGEBYSCORE', key(QUIET), '-inf', NOW_MS)
  redis.call('ZADD', key(QUIET), 'GT', text(NOW_MS + tonumber(arg(2))), worker)
  local last = redis.call('ZRANGE', key(QUIET), -1, -1, 'WITHSCORES')
  redis.call('PEXPIRE', key(QUIET), text(tonumber(last[2]) - NOW_MS))
  return { 'ok', NOW_MS }
end
