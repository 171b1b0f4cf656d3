-- A cron entry as the scripts read it. Shared by cron_due, cron_look, fire.

-- The runs that are live now, in order of their instants; those whose records have vanished or ended are not.
local function live_runs(name)
  local runs, gone = {}, {}
  for _, id in ipairs(redis.call('ZRANGE', key(LIVE, name), 0, 99)) do
    local state = redis.call('HGET', key(JOB, id), 'state')
    table.insert((state and not TERMINAL[state]) and runs or gone, id)
  end
  return runs, gone
end

-- {name, {field, value, …}, {live run…}, waiting}, or nil when there is no such entry. What is no entry at all is {name}: it
-- must not hide the others.
local function entry_look(name)
  local flat = redis.pcall('HGETALL', key(CRON, name))
  local runs, line = redis.pcall('ZCARD', key(LIVE, name)), redis.pcall('LLEN', key(WAIT, name))
  if flat.err or type(runs) == 'table' or type(line) == 'table' then return { name } end
  if #flat == 0 then return nil end
  return { name, flat, (live_runs(name)), line }
end
