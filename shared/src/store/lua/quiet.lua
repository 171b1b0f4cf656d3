#!lua flags=allow-oom
-- Keeps a worker from being handed jobs here, or lets it be handed jobs again.
--
-- KEYS  events, quiet. ARGV 1 worker, 2 for how long (ms; "" to hand it jobs again), 3 until when it is thought to be kept from
--       them (ms; "" if that is all the same).
-- Pre   it is kept from them until just then.
-- Post  `quiet` says until when, and forgets those whose time has passed.
-- Reply {"ok", now}.

return function()
  local worker, till = arg(1), redis.call('ZSCORE', key(QUIET), arg(1))
  if arg(3) ~= '' and till ~= arg(3) then return { 'ok', NOW_MS } end
  redis.call('ZREMRANGEBYSCORE', key(QUIET), '-inf', NOW_MS)
  if arg(2) == '' then
    redis.call('ZREM', key(QUIET), worker)
  else
    redis.call('ZADD', key(QUIET), text(NOW_MS + tonumber(arg(2))), worker)
    redis.call('PEXPIRE', key(QUIET), arg(2))
  end
  return { 'ok', NOW_MS }
end
