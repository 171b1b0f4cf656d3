#!lua flags=allow-oom
-- Notes what a worker says of itself, and answers what it is told to do: one call per heartbeat.
--
-- KEYS  1 workers, 2 said, 3 order. ARGV 1 worker, 2 what it says (JSON), 3 how long a silent worker is listed (ms), 4 how
--       long an order is kept for a worker that does not ask (ms).
-- Post  the worker is listed; those that were silent for so long are not any more: who was killed cannot strike itself off.
-- Reply {now, order or ""}.

return function()
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local order = redis.call('GET', KEYS[3])
  redis.call('ZCARD', KEYS[1])
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now_ms - ARGV[3]))
  if order then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
  return { now_ms, order or '' }
end
