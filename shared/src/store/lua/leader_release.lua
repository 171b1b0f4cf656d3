#!lua flags=allow-oom
-- Gives a leadership up, and wakes one standby. KEYS 1 leader, 2 bell, 3 terms. ARGV 1 token.
-- Pre the token is the leader's. Post its term has an end. Reply {1 | 0}.

return function()
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 0 } end
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local term = redis.call('LINDEX', KEYS[3], 0) or ''
  local since, token = string.match(term, '^(%d+) %d+ %- (.*)$')
  local rung = redis.call('LLEN', KEYS[2])
  redis.call('DEL', KEYS[1])
  if rung < 1 then redis.call('LPUSH', KEYS[2], '1') end
  if token == ARGV[1] then redis.call('LSET', KEYS[3], 0, since .. ' ' .. now_ms .. ' ' .. now_ms .. ' ' .. token) end
  return { 1 }
end
