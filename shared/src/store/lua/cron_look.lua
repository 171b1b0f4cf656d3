#!lua flags=no-writes
-- Reads entries by name.
--
-- KEYS  per name: cron. ARGV names, at most 100. Reply {now, then of each that is there: name, record ("": what is there is no
--       entry), definition (JSON; "": none), how many runs wait, how many are live, those}.

return function()
  local names = {}
  for i = 1, #ARGV - 4 do names[i] = arg(i) end
  local reply = { NOW_MS }
  entries_to(reply, names)
  return reply
end
