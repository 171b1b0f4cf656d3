#!lua flags=no-writes
-- Says what the user of this connection may not do; does none of it.
--
-- KEYS  1 any. ARGV per call: its words, joined by spaces. Reply {call that is not permitted…}.

return function()
  local missing = {}
  for _, call in ipairs(ARGV) do
    local words = {}
    for word in string.gmatch(call, '[^ ]+') do table.insert(words, word) end
    if not redis.acl_check_cmd(unpack(words)) then table.insert(missing, call) end
  end
  return missing
end
