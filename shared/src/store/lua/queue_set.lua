#!lua flags=allow-oom
-- Changes what holds for a queue. KEYS events, queue, queues, bell, ready. ARGV 1 queue, then pairs of field and value (""
-- takes the limit away): paused (ms since when), concurrency (jobs at once), rate ("<starts>:<ms>").
-- Post claims obey it from now on; waiting workers look again. Reply {"ok", now, was paused (0 | 1)}.

return function()
  local queue = arg(1)
  local was = redis.call('HGET', key(QUEUE, queue), 'paused')
  local waiting = redis.call('ZCARD', key(READY, queue))
  redis.call('LLEN', key(BELL, queue))
  redis.call('SCARD', key(QUEUES))
  redis.call('SADD', key(QUEUES), queue)
  for i = 2, #ARGV - 4, 2 do
    if arg(i + 1) == '' then
      redis.call('HDEL', key(QUEUE, queue), arg(i))
    else
      redis.call('HSET', key(QUEUE, queue), arg(i), arg(i + 1))
    end
    if arg(i) == 'paused' and (arg(i + 1) == '') == (was ~= false) then
      local kind = was and 'queue.resumed' or 'queue.paused'
      tell(kind, 'api', queue, '{"queue":"' .. queue .. '"}')
    end
  end
  redis.call('HSETNX', key(QUEUE, queue), 'created', NOW_MS)
  -- A queue that something holds for is not forgotten when it has no jobs. (Rates that jobs bring along, they bring again.)
  local holds = redis.call('HMGET', key(QUEUE, queue), 'paused', 'concurrency', 'rate')
  if holds[1] or holds[2] or holds[3] then
    redis.call('HSET', key(QUEUE, queue), 'ruled', '1')
  else
    redis.call('HDEL', key(QUEUE, queue), 'ruled')
  end
  ring(queue, waiting)
  return { 'ok', NOW_MS, was and 1 or 0 }
end
