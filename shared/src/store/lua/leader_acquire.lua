#!lua flags=allow-oom
-- Takes the leadership if it is free, or if its holder shows no life.
--
-- KEYS  1 leader, 2 epoch, 3 beat, 4 terms. ARGV 1 nonce and name of the candidate, 2 ttl (s), 3 token and 4 beat
--       that the candidate saw unchanged for two ttls on its own clock ("" when it did not), 5 terms kept.
-- Pre   nobody leads; or the leader is the one that was seen, and has not renewed since. (A Redis clock set back keeps
--       the lock of a dead leader for as long as the jump; time to live alone is no sign of life.)
-- Post  the token is ours, under SET NX EX, with an epoch higher than any before, even if Redis lost what it had
--       acknowledged: it is at least the time in microseconds. It is the newest of the terms.
-- Reply {1, now, token} | {0, now, token of the leader, beat, ttl (ms)}.

return function()
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local held = redis.call('GET', KEYS[1])
  local beat = redis.call('GET', KEYS[3]) or '0'
  local silent = held and ARGV[3] ~= '' and held == ARGV[3] and beat == ARGV[4]
  local previous = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  if held and not silent then return { 0, now_ms, held, beat, redis.call('PTTL', KEYS[1]) } end
  redis.call('LLEN', KEYS[4])
  local epoch = string.format('%.0f', math.max(previous + 1, time[1] * 1000000 + time[2]))
  local token = epoch .. ':' .. ARGV[1]
  -- First, because it alone can fail.
  redis.call('INCR', KEYS[3])
  if silent then redis.call('DEL', KEYS[1]) end
  redis.call('SET', KEYS[1], token, 'NX', 'EX', ARGV[2])
  redis.call('SET', KEYS[2], epoch)
  redis.call('LPUSH', KEYS[4], now_ms .. ' ' .. now_ms .. ' - ' .. token)
  redis.call('LTRIM', KEYS[4], 0, ARGV[5] - 1)
  return { 1, now_ms, token }
end
