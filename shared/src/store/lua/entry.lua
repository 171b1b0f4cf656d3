-- The records of cron entries. Shared by cron_due, cron_look, cron_put, cron_remove, fire.
--
-- A record is a text of lines, each in its place (an empty one: nothing). What changes when the entry fires comes first:
-- revision, next instant (ms), how many jobs it made, how many of them its schedule made, when it made the last (ms), and "1"
-- once its ledger says that it is disabled. What changes only when it is registered is handed on by a fire as it stands: uid,
-- created (ms), updated (ms), whether it is enabled (0 | 1), anchor (ms), pause (JSON), source (JSON). Its definition has a key
-- of its own, so that a fire need not write it. entry_record.rs is the counterpart.

-- The first two lines together, then the first alone.
local FIRED_LINES = '^((%d+)\n%-?%d*)\n(%d+)\n(%d+)\n(%-?%d*)\n(1?)\n(.*)$'
local REGISTERED_LINES = '^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n$'

-- The runs that are live now, in order of their instants; those whose records have vanished or ended are not.
local function live_runs(name)
  local runs, gone = {}, {}
  for _, id in ipairs(redis.call('ZRANGE', key(LIVE, name), 0, 99)) do
    local job = job_read(id)
    table.insert((job and not TERMINAL[job.state]) and runs or gone, id)
  end
  return runs, gone
end

-- The live runs of an entry and how many of them wait; nil when their keys hold something else.
local function runs_of(name)
  local live, waiting = redis.pcall('ZCARD', key(LIVE, name)), redis.pcall('LLEN', key(WAIT, name))
  if type(live) == 'table' or type(waiting) == 'table' then return nil end
  return live > 0 and (live_runs(name)) or {}, waiting
end

-- Writes entries behind an answer, of each: name, record, definition, how many runs wait, how many are live, those. The record
-- is empty where something stands that is none: it must not hide the others. Returns the names of which nothing is there.
-- At most 100 names.
local function entries_to(answer, names)
  local vanished, found, beside = {}, {}, {}
  if #names == 0 then return vanished end
  for i, name in ipairs(names) do
    found[2 * i - 1], found[2 * i] = key(CRON, name), key(DEF, name)
    beside[2 * i - 1], beside[2 * i] = key(LIVE, name), key(WAIT, name)
  end
  found = redis.call('MGET', unpack(found))
  -- Most entries have no live run, and one answer says so of all of them.
  local all_rest = redis.call('EXISTS', unpack(beside)) == 0
  for i, name in ipairs(names) do
    local record, runs, waiting = found[2 * i - 1], NONE, 0
    -- What holds no text is answered as what holds nothing.
    if not record and redis.call('EXISTS', key(CRON, name)) == 1 then record = '' end
    if record and not all_rest then
      runs, waiting = runs_of(name)
      if not runs then record, runs, waiting = '', NONE, 0 end
    end
    if record then
      -- A table within a table is slow to answer.
      local n = #answer + 5
      answer[n - 4], answer[n - 3], answer[n - 2], answer[n - 1] = name, record, found[2 * i] or '', waiting
      answer[n] = #runs
      for r, id in ipairs(runs) do answer[n + r] = id end
    else
      vanished[#vanished + 1] = name
    end
  end
  return vanished
end
