#!lua
-- Sets entries that cannot be read aside: they are looked at again after a rest, and do not stand before all others.
--
-- KEYS  crons, fence. ARGV 1 token, 2 rest (ms); then per entry: name, data of the event (JSON). At most 100 of them.
-- Pre   the token is this partition's fence. An entry that is not due any more was changed meanwhile, and is left alone.
-- Reply {"ok", now} | {"fenced", now, fence}.

return function()
  local fence = redis.call('GET', key(FENCE)) or ''
  if fence ~= arg(1) then return { 'fenced', NOW_MS, fence } end
  for i = 3, #ARGV - 4, 2 do
    local score = redis.call('ZSCORE', key(CRONS), arg(i))
    if score and tonumber(score) <= NOW_MS then
      redis.call('ZADD', key(CRONS), 'XX', NOW_MS + arg(2), arg(i))
      -- What is no entry may have any name; a subject must need no escaping.
      local subject = string.gsub(arg(i), '[%c"\\]', '?')
      tell('cron.unreadable', 'cron', subject, arg(i + 1))
    end
  end
  return { 'ok', NOW_MS }
end
