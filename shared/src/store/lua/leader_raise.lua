#!lua flags=allow-oom
-- Raises the epoch from which the next leadership counts. KEYS 1 epoch. ARGV 1 an epoch that was seen.
-- Post no leadership from here on has an epoch that is not higher. Reply {1 | 0}: whether it was lower.

return function()
  local epoch = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
  if epoch >= tonumber(ARGV[1]) then return { 0 } end
  redis.call('SET', KEYS[1], ARGV[1])
  return { 1 }
end
