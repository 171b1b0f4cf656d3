#!lua
-- Registers an entry or changes one, as decided on the revision that was read.
--
-- KEYS  crons, cron:<name>, ledger:<name>, declared, def:<name>.
-- ARGV  1 name, 2 revision seen ("0": none), 3 definition (JSON), 4 enabled (0 | 1),
--       5 next instant (ms) or "", 6 uid, 7 anchor (ms) of @every, 8 next instant seen (ms) or "", 9 when the next instant
--       is to be decided on (ms) or "", 10 pause (JSON) or "", 11 why instants that had come are given up by this change
--       ("": none are), 12 the first of them (ms), 13 how many; 14 type and 15 data (JSON) of an event, or "";
--       16 the file that declares it (JSON) or "".
-- Pre   the entry still has the revision and the next instant that were seen: a fire in between must not be undone.
-- Post  a higher revision; instants that had come and are given up have their row; run_count, created_at, last_run_at and
--       uid of an existing entry are as they were; it is in `declared` if and only if a file declares it. A text that is no
--       entry counts as none, and is replaced; another type stops the call.
-- Reply {"ok", now, the entry as it stands then, as of cron_look} | {"stale", now} | {"ok", …} again when this very put was
--       made before.

return function()
  local name = arg(1)
  local entry = key(CRON, name)
  local mark, rev, runs, rung, last, _, registered = string.match(redis.call('GET', entry) or '', FIRED_LINES)
  local uid, created, _, enabled, _, pause, source = string.match(registered or '', REGISTERED_LINES)
  local is_new = not uid
  rev = is_new and 0 or tonumber(rev)
  local next_seen = is_new and '' or string.match(mark, '\n(.*)$')
  if is_new then runs, rung, last, uid, created, pause, source = '0', '0', '', arg(6), NOW, '', '' end
  local kept = redis.call('GET', key(DEF, name))
  redis.call('ZCARD', key(CRONS))
  -- A ledger keeps what befell its entry; one that has no rows needs no notes.
  local ledger = key(LEDGER, name)
  local row = redis.call('LINDEX', ledger, '-1')
  local is_declared = redis.call('SCARD', key(DECLARED)) > 0
  local function answered()
    local reply = { 'ok', NOW_MS }
    entries_to(reply, { name })
    return reply
  end
  if rev ~= tonumber(arg(2)) then
    local repeated = (arg(2) == '0' or rev == tonumber(arg(2)) + 1) and kept == arg(3) and next_seen == arg(5)
      and enabled == arg(4) and pause == arg(10) and source == arg(16)
    return repeated and answered() or { 'stale', NOW_MS }
  end
  if next_seen ~= arg(8) then return { 'stale', NOW_MS } end
  local function note(change)
    if row then row = ledger_add(ledger, row, '\0x\0' .. change) end
  end
  if is_new then
    -- Revisions of an entry do not start where those of one before it did: a decision on that one is refused.
    rev = NOW_MS
    redis.call('PERSIST', ledger)
    note('registered')
  elseif enabled ~= arg(4) then
    note(arg(4) == '1' and 'enabled' or 'disabled')
  elseif kept ~= arg(3) then
    note('changed')
  end
  -- The ledger says once more that the entry is disabled, if it is.
  local lines = { text(rev + 1), arg(5), runs, rung, last, '', uid, created, NOW, arg(4), arg(7), arg(10), arg(16) }
  redis.call('MSET', key(DEF, name), arg(3), entry, table.concat(lines, '\n') .. '\n')
  if arg(16) ~= '' then
    redis.call('SADD', key(DECLARED), name)
  elseif is_declared then
    redis.call('SREM', key(DECLARED), name)
  end
  if arg(11) ~= '' then
    local scheduled = tonumber(arg(12))
    ledger_add(ledger, row, '\0d\0skipped\0r\0' .. arg(11) .. '\0s\0' .. arg(12) .. '\0a\0' .. NOW .. '\0n\0' .. arg(13)
      .. '\0k\0scheduled')
    tell('cron.skipped', 'cron', name, '{"cron_name":"' .. name .. '","reason":"' .. arg(11) .. '","scheduled_time":"'
      .. rfc3339(scheduled) .. '","scheduled_at":"' .. rfc3339(scheduled) .. '","skipped_count":' .. arg(13) .. '}')
  end
  if arg(14) ~= '' then tell(arg(14), 'cron', name, arg(15)) end
  redis.call('ZADD', key(CRONS), arg(9) ~= '' and arg(9) or '+inf', name)
  return answered()
end
