-- How scripts are called. `register` takes them: that of the library, or of one that is sent alone (script.rs).

-- A script of a partition. Whatever way it ends, what it has put off is written.
local function partition(name, flags, script)
  register(name, flags, function(keys, args)
    KEYS, ARGV = keys, args
    for _, begin in ipairs(beginnings) do begin() end
    local done, reply = pcall(script)
    settle()
    if not done then error(reply) end
    return reply
  end)
end

-- A script that touches no partition: it has its keys and arguments, and nothing else.
local function bare(name, flags, script)
  register(name, flags, function(keys, args)
    KEYS, ARGV = keys, args
    return script()
  end)
end
