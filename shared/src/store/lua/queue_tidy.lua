#!lua flags=allow-oom
-- Forgets queues that have not been used for long.
--
-- KEYS  events, queues, then per queue: queue, ready, bell, rate, dead. ARGV 1 forgotten after (ms), then the queues (at
--       most 100).
-- Pre   it has no job that has not ended and no dead letter, nothing was made to hold for it, and that has been seen before,
--       so long ago, with the same number of jobs taken in. Post no key of it is left: its counters begin anew.
-- Reply {now, forgotten}.

return function()
  local LIVE_STATES = { 'scheduled', 'available', 'pending', 'active', 'retryable' }

  -- The number of jobs taken in, of a queue that is not in use.
  local function idle_seq(queue)
    if redis.call('ZCARD', key(READY, queue)) + redis.call('ZCARD', key(DEAD, queue)) > 0 then return nil end
    local found = redis.call('HMGET', key(QUEUE, queue), 'ruled', 'seq', unpack(LIVE_STATES))
    if found[1] then return nil end
    for i = 3, #found do
      if (tonumber(found[i] or nil) or 0) ~= 0 then return nil end
    end
    return found[2] or '0'
  end

  local queues, forgotten = {}, 0
  redis.call('SCARD', key(QUEUES))
  for i = 2, #ARGV - 4 do
    local queue = arg(i)
    local seen = redis.call('HGET', key(QUEUE, queue), 'idle') or ''
    table.insert(queues, { name = queue, seq = idle_seq(queue), seen = seen })
  end
  for _, queue in ipairs(queues) do
    local seq, since = string.match(queue.seen, '^(%d+):(%d+)$')
    if not queue.seq then
      redis.call('HDEL', key(QUEUE, queue.name), 'idle')
    elseif seq ~= queue.seq then
      redis.call('HSET', key(QUEUE, queue.name), 'idle', queue.seq .. ':' .. NOW_MS)
    elseif NOW_MS - tonumber(since) >= tonumber(arg(1)) then
      redis.call('SREM', key(QUEUES), queue.name)
      redis.call('DEL', key(QUEUE, queue.name), key(BELL, queue.name), key(RATE, queue.name))
      forgotten = forgotten + 1
    end
  end
  return { NOW_MS, forgotten }
end
