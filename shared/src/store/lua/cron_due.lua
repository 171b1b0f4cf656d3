#!lua
-- Lists the entries whose next instant has come, for the leader to decide.
--
-- KEYS  crons, fence. ARGV 1 token, 2 how many at most, 3 how many to pass over, the earliest: they are being decided on.
-- Pre   the token is this partition's fence.
-- Reply {"ok", now, next instant that has not come (ms) or "", entries as of cron_look} | {"fenced", now, fence}.

return function()
  local fence = redis.call('GET', key(FENCE)) or ''
  if fence ~= arg(1) then return { 'fenced', NOW_MS, fence } end
  local names = redis.call('ZRANGE', key(CRONS), '-inf', NOW, 'BYSCORE', 'LIMIT', arg(3), arg(2))
  local head = redis.call('ZRANGE', key(CRONS), '(' .. NOW, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  local reply = { 'ok', NOW_MS, head[2] ~= 'inf' and head[2] or '' }
  local vanished = entries_to(reply, names)
  if #vanished > 0 then redis.call('ZREM', key(CRONS), unpack(vanished)) end
  return reply
end
