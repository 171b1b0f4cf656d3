-- Cron entries as the scripts read them. Shared by cron_due, cron_look, cron_put, fire.

-- The runs that are live now, in order of their instants; those whose records have vanished or ended are not.
local function live_runs(name)
  local runs, gone = {}, {}
  for _, id in ipairs(redis.call('ZRANGE', key(LIVE, name), 0, 99)) do
    local job = job_read(id)
    table.insert((job and not TERMINAL[job.state]) and runs or gone, id)
  end
  return runs, gone
end

-- Of each name, at most 100: {name, fields and values by turns, joined by NUL, {live run…}, waiting}, or false when there is no
-- such entry. What is no entry at all has no fields: it must not hide the others. The definition stands in a key of its own, so
-- that the hash stays small; an entry that was written before that was so has it among its fields.
local function entries_look(names)
  local found, kept, beside = {}, {}, {}
  for i, name in ipairs(names) do
    kept[i] = key(DEF, name)
    beside[2 * i - 1], beside[2 * i] = key(LIVE, name), key(WAIT, name)
  end
  if #names == 0 then return found end
  kept = redis.call('MGET', unpack(kept))
  -- Most entries have no live run, and one answer says so of all of them.
  local all_rest = redis.call('EXISTS', unpack(beside)) == 0
  for i, name in ipairs(names) do
    local flat, runs, line = redis.pcall('HGETALL', key(CRON, name)), 0, 0
    if not all_rest then
      runs, line = redis.pcall('ZCARD', key(LIVE, name)), redis.pcall('LLEN', key(WAIT, name))
    end
    if flat.err or type(runs) == 'table' or type(line) == 'table' then
      found[i] = { name, '', {}, 0 }
    elseif #flat == 0 then
      found[i] = false
    else
      if kept[i] then
        flat[#flat + 1] = 'def'
        flat[#flat + 1] = kept[i]
      end
      found[i] = { name, table.concat(flat, '\0'), runs > 0 and (live_runs(name)) or {}, line }
    end
  end
  return found
end

-- Writes an entry behind an answer: name, fields, how many runs wait, how many are live, those.
local function entry_to(answer, entry)
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = entry[1], entry[2], entry[4]
  list_to(answer, entry[3])
end
