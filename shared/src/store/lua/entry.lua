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

-- {name, {field, value, …}, {live run…}, waiting}, or nil when there is no such entry.
local function entry_look(name)
  local flat = redis.call('HGETALL', key(CRON, name))
  if #flat == 0 then return nil end
  local runs = live_runs(name)
  return { name, flat, runs, redis.call('LLEN', key(WAIT, name)) }
end
