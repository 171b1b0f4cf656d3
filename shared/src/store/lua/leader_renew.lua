#!lua flags=allow-oom
-- Renews a leadership. KEYS 1 leader, 2 beat, 3 terms. ARGV 1 token, 2 ttl (s).
-- Pre the token is the leader's. Post its time to live starts again, and the beat has moved, in its term too. Reply {1 | 0, now}.

return function()
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 0, now_ms } end
  local term = redis.call('LINDEX', KEYS[3], 0) or ''
  local since, token = string.match(term, '^(%d+) %d+ %- (.*)$')
  -- The beat first, because it alone can fail.
  redis.call('INCR', KEYS[2])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  if token == ARGV[1] then redis.call('LSET', KEYS[3], 0, since .. ' ' .. now_ms .. ' - ' .. token) end
  return { 1, now_ms }
end
