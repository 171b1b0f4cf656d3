#!lua flags=no-writes
-- Reads entries by name.
--
-- KEYS  per name: cron. ARGV names, at most 100. Reply {now, then of each that is there: name, fields
--       joined ("": what is there is no entry), how many runs wait, how many are live, those}.

return function()
  local names = {}
  for i = 1, #ARGV - 4 do names[i] = arg(i) end
  local reply = { NOW_MS }
  for _, entry in ipairs(entries_look(names)) do
    if entry then entry_to(reply, entry) end
  end
  return reply
end
