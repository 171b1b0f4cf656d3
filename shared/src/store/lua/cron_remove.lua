#!lua flags=allow-oom
-- Removes an entry. Its runs are not touched: those in line are still let go one after the other.
--
-- KEYS  crons, cron:<name>, ledger:<name>, declared, def:<name>.
-- ARGV  1 name, 2 ledger kept for (ms), 3 revision seen, or "" for any.
-- Pre   the entry still has the revision that was seen.
-- Reply {"ok", now, record and definition (JSON) as they were, "" where there was something else or none} | {"gone", now} |
--       {"stale", now}.

return function()
  local name = arg(1)
  local entry, definition, ledger = key(CRON, name), key(DEF, name), key(LEDGER, name)
  local record, kept = unpack(redis.call('MGET', entry, definition))
  -- What is no entry can be removed too.
  if not record and redis.call('EXISTS', entry) == 0 then return { 'gone', NOW_MS } end
  local _, rev = string.match(record or '', FIRED_LINES)
  if arg(3) ~= '' and rev ~= arg(3) then return { 'stale', NOW_MS } end
  redis.call('ZCARD', key(CRONS))
  local row = redis.call('LINDEX', ledger, '-1')
  redis.call('SCARD', key(DECLARED))
  redis.call('DEL', entry, definition)
  redis.call('ZREM', key(CRONS), name)
  redis.call('SREM', key(DECLARED), name)
  if row then ledger_add(ledger, row, '\0x\0removed') end
  redis.call('PEXPIRE', ledger, arg(2))
  return { 'ok', NOW_MS, record or '', kept or '' }
end
