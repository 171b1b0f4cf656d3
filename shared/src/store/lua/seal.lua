#!lua flags=allow-oom
-- Gives this partition to a leader: from here on no other token fires here.
--
-- KEYS  fence. ARGV 1 epoch, 2 token.
-- Pre   no higher epoch, nor another token of the same epoch, was here before.
-- Reply {"ok", now} | {"fenced", now, fence}.

return function()
  local fence = redis.call('GET', key(FENCE)) or ''
  local epoch = tonumber(string.match(fence, '^%d+') or '0')
  if fence ~= arg(2) and epoch >= tonumber(arg(1)) then return { 'fenced', NOW_MS, fence } end
  redis.call('SET', key(FENCE), arg(2))
  return { 'ok', NOW_MS }
end
