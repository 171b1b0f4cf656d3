#!lua flags=allow-oom
-- Moves what producers pushed to the list of what is taken, each behind a ticket, and lists the head of that list: what
-- this call moved, or what an intake that died had moved before.
--
-- KEYS  1 inbox, 2 taken, 3 ticket. ARGV 1 how many at most.
-- Post  nothing is lost at any moment: an item is in one of the two lists. Order is kept.
-- Reply {now, "<ms>-<ticket>\n<payload>"…}.

return function()
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local most = tonumber(ARGV[1])
  local waiting = redis.call('LRANGE', KEYS[1], 0, most - 1)
  local taken = redis.call('LLEN', KEYS[2])
  redis.call('GET', KEYS[3])
  for i = 1, math.min(#waiting, most - taken) do
    local ticket = redis.call('INCR', KEYS[3])
    redis.call('RPUSH', KEYS[2], now_ms .. '-' .. ticket .. '\n' .. waiting[i])
    redis.call('LPOP', KEYS[1])
  end
  local reply = redis.call('LRANGE', KEYS[2], 0, most - 1)
  table.insert(reply, 1, now_ms)
  return reply
end
