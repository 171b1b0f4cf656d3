#!lua flags=allow-oom
-- Removes an entry. Its runs are not touched: those in line are still let go one after the other.
--
-- KEYS  crons, cron:<name>, ledger:<name>. ARGV 1 name, 2 ledger kept for (ms).
-- Reply {"ok", now, {field, value, …}} with what it was | {"gone", now}.

-- What is no entry can be removed too.
local flat = redis.pcall('HGETALL', key(CRON, arg(1)))
if not flat.err and #flat == 0 then return { 'gone', NOW_MS } end
redis.call('ZCARD', key(CRONS))
local has_ledger = redis.call('XLEN', key(LEDGER, arg(1))) > 0
redis.call('DEL', key(CRON, arg(1)))
redis.call('ZREM', key(CRONS), arg(1))
if has_ledger then redis.pcall('XADD', key(LEDGER, arg(1)), '*', 'x', 'removed') end
redis.call('PEXPIRE', key(LEDGER, arg(1)), arg(2))
return { 'ok', NOW_MS, flat.err and {} or flat }
