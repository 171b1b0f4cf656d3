#!lua flags=allow-oom
-- Removes an entry. Its runs are not touched: those in line are still let go one after the other.
--
-- KEYS  crons, cron:<name>, ledger:<name>, declared, def:<name>. ARGV 1 name, 2 ledger kept for (ms), 3 revision seen, or "" for any.
-- Pre   the entry still has the revision that was seen.
-- Reply {"ok", now, {field, value, …}} with what it was | {"gone", now} | {"stale", now}.

return function()
  -- What is no entry can be removed too.
  local flat = redis.pcall('HGETALL', key(CRON, arg(1)))
  if not flat.err and #flat == 0 then return { 'gone', NOW_MS } end
  if arg(3) ~= '' and (flat.err or redis.call('HGET', key(CRON, arg(1)), 'rev') ~= arg(3)) then return { 'stale', NOW_MS } end
  redis.call('ZCARD', key(CRONS))
  local row = redis.call('LINDEX', key(LEDGER, arg(1)), '-1')
  redis.call('SCARD', key(DECLARED))
  local kept = redis.pcall('GET', key(DEF, arg(1)))
  if type(kept) == 'string' and not flat.err then
    flat[#flat + 1] = 'def'
    flat[#flat + 1] = kept
  end
  redis.call('DEL', key(CRON, arg(1)), key(DEF, arg(1)))
  redis.call('ZREM', key(CRONS), arg(1))
  redis.call('SREM', key(DECLARED), arg(1))
  if row then ledger_add(key(LEDGER, arg(1)), row, '\0x\0removed') end
  redis.call('PEXPIRE', key(LEDGER, arg(1)), arg(2))
  return { 'ok', NOW_MS, flat.err and {} or flat }
end
