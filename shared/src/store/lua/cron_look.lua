#!lua flags=no-writes
-- Reads entries by name.
--
-- KEYS  per name: cron. ARGV names, at most 100. Reply {now, {name, fields joined, live runs, waiting} | ""…}.

local names = {}
for i = 1, #ARGV - 4 do names[i] = arg(i) end
local reply = { NOW_MS }
for i, entry in ipairs(entries_look(names)) do reply[i + 1] = entry or '' end
return reply
