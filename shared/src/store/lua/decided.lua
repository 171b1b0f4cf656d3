-- Decisions on due instants, as fire reads and checks them: nothing here writes.

-- How it is decided: decision, kind, instants, scheduled, when the next is to be decided on, reason, what the row keeps beside
-- it, what was said of the job.
local HOW = '^(%a+)\n([%a_]+)\n(%d+)\n(%-?%d+)\n(%C*)\n(%C*)\n([^\n]*)\n(.*)$'

-- Many entries are due at one instant, which is written out once, and so is how long ago it was.
local instants
local function written(scheduled)
  local instant = instants[scheduled]
  if not instant then
    local ms = tonumber(scheduled)
    local at = rfc3339(ms)
    instant = {
      times = ',"scheduled_time":"' .. at .. '","scheduled_at":"' .. at .. '"',
      late_ms = text(math.max(0, NOW_MS - ms)),
    }
    instants[scheduled] = instant
  end
  return instant
end

-- How something is decided, with all that is the same for whatever is decided so: what its event says, the end of its row, and
-- one table that stands for each of the jobs in turn.
local hows
each_call(function() instants, hows = {}, {} end)

local function how_of(lines)
  local decision, kind, count, scheduled, look_at, reason, because, said = string.match(lines, HOW)
  local fires, instant = decision ~= 'skip', written(scheduled)
  local how = {
    decision = decision, kind = kind, scheduled = scheduled, look_at = look_at, reason = reason, said = said,
    fires = fires, is_sound = false,
    row = '\0s\0' .. scheduled .. '\0a\0' .. NOW .. '\0n\0' .. count .. '\0k\0' .. kind
      .. (because ~= '' and '\0w\0' .. because or ''),
    told = instant.times .. (fires and ',"actual_time":"' .. rfc3339(NOW_MS, true) .. '","kind":"' .. kind .. '","manual":'
      .. (kind == 'manual' and 'true' or 'false') .. ',"missed_count":' .. text(tonumber(count) - 1)
      or ',"kind":"' .. kind .. '","skipped_count":' .. count) .. ',"lateness_ms":' .. instant.late_ms,
  }
  if fires then
    how.job = job_new(#KEYS + 1, '', 'available', 0, '', said, '')
    how.told_of_job = '","job_type":"' .. how.job.type .. '","run_count":'
    how.ready = kept_key(READY, how.job.queue)
  end
  hows[lines] = how
  return how
end

local function all_wait(runs)
  for _, id in ipairs(runs) do
    local run = job_read(id)
    if not (run and run.waits) then return false end
  end
  return true
end

-- The first of these runs whose record is there.
local function first_there(ids)
  for _, id in ipairs(ids) do
    local job = job_read(id)
    if job and not TERMINAL[job.state] then
      check_indexes(job)
      return job
    end
  end
end

-- One more, both as text; Lua counts no further than 2^53.
local function after(so_far)
  local number = tonumber(so_far)
  return number < 9007199254740991 and text(number + 1) or so_far
end

-- What is to be refused of an item whose revision and next instant are not as seen, or that sees no next instant because
-- somebody asked for it.
local function unlike(item, mark)
  local rev, next_now = string.match(mark, '^(%d+)\n(.*)$')
  local rev_seen, next_seen = string.match(item.was, '^(%d+)\n?(.*)$')
  local is_asked = next_seen == ''
  if item.how.kind == 'backfill' then
    if item.exists then return 'already' end
    -- What the schedule has yet to decide on is not ours to decide.
    if next_now ~= '' and tonumber(next_now) <= tonumber(item.how.scheduled) then return 'early' end
  end
  -- A run that somebody asked for has an id of its own: it is there if this very call was made before.
  if is_asked and item.exists then return 'ok' end
  if not is_asked and next_now ~= next_seen then return 'already' end
  if rev ~= rev_seen then return 'stale' end
end

-- Reads what is live of an entry, and what its decision ends of it.
local function live_look(item)
  local name, decision = item.name, item.how.decision
  item.live, item.gone = live_runs(name)
  if table.concat(item.live, ' ') ~= item.seen then return 'stale' end
  -- More runs than one call may end: these are cancelled now, and the decision is made again.
  item.partial = decision == 'cancel' and redis.call('ZCARD', item.live_key) > #item.live + #item.gone
  -- A run whose record has vanished ends nobody's wait: if all that are left wait, the first of them is let go.
  local waiting = #item.gone > 0 and redis.call('LRANGE', key(WAIT, name), 0, 99) or NONE
  item.stuck = #item.gone > 0 and #item.live > 0 and decision ~= 'cancel' and all_wait(item.live)
    and first_there(waiting) or nil
  item.cancel = {}
  if decision ~= 'cancel' then return end
  for i, id in ipairs(item.live) do
    item.cancel[i] = job_read(id)
    check_indexes(item.cancel[i])
  end
end

-- Checks an item against its record, and notes what becomes of that. `is_due`: the index has it among the first that are due.
local function refusal(item, record, is_due)
  local mark, rev, runs, rung, last, silent, registered = string.match(record or '', FIRED_LINES)
  if not mark then return 'gone' end
  local how = item.how
  if not item.rests then item.exists = how.fires and redis.call('EXISTS', item.job_key) == 1 end
  local moves = mark == item.was
  if not moves then
    local code = unlike(item, mark)
    if code then return code end
  elseif not is_due and tonumber(redis.call('ZSCORE', key(CRONS), item.name) or string.match(mark, '%-?%d+$')) > NOW_MS then
    return 'early'
  end
  if item.rests then
    if item.seen ~= '' then return 'stale' end
  else
    local code = live_look(item)
    if code then return code end
  end
  if how.fires then
    if not how.is_sound then
      -- Only one that waits touches the line of its entry.
      how.job.cron = how.decision == 'behind' and item.name or nil
      check_indexes(how.job)
      -- What others touch of their own has been read by now, but for the line of one that waits.
      how.is_sound = how.decision ~= 'behind'
    end
    item.runs, last = after(runs), NOW
    -- Most entries are never run by hand.
    if moves then rung = rung == runs and item.runs or after(rung) end
    runs = item.runs
  elseif how.reason == 'disabled' then
    item.says_nothing, silent = silent == '1', '1'
  end
  item.moves = moves
  item.text = (moves and rev .. '\n' .. item.next or mark) .. '\n' .. runs .. '\n' .. rung .. '\n' .. last .. '\n' .. silent
    .. '\n' .. registered
end

-- Checks items, no two of one entry; a code for each that is refused, and false for the others. What can be asked of many at
-- once is: their records, which are due, and whether anything at all is there of their runs and of the jobs to be made. Most
-- often those that are due first are these, nothing is there, and no more need be asked.
local function refusals(items)
  local is_due, entries, beside, codes = {}, {}, {}, {}
  for i, item in ipairs(items) do
    entries[i], beside[2 * i - 1], beside[2 * i] = item.key, item.live_key, item.job_key
  end
  local due = redis.call('ZRANGE', key(CRONS), '-inf', NOW, 'BYSCORE', 'LIMIT', '0', text(#items))
  for _, name in ipairs(due) do is_due[name] = true end
  local found = redis.call('MGET', unpack(entries))
  local all_rest = redis.call('EXISTS', unpack(beside)) == 0
  for i, item in ipairs(items) do
    item.row = redis.call('LINDEX', item.ledger, '-1')
    item.rests = all_rest or redis.call('EXISTS', item.live_key, item.job_key) == 0
    codes[i] = refusal(item, found[i], is_due[item.name]) or false
  end
  return codes
end
