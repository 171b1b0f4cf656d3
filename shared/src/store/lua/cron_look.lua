#!lua flags=no-writes
-- Reads entries by name.
--
-- KEYS  per name: cron. ARGV names. Reply {now, {name, fields, live runs, waiting} | ""…}.

local reply = { NOW_MS }
for i = 1, #ARGV - 4 do table.insert(reply, entry_look(arg(i)) or '') end
return reply
