#!lua
-- Applies what was decided about due instants: the only place where a cron entry fires.
--
-- KEYS  events, told, crons, fence, due, expires, ended:cancelled, then per queue: ready, queue, bell. The keys of an item
--       (cron, live, wait and ledger of the entry, job and env of the job) are told from its name and id.
-- ARGV  1 token ("" for a run that somebody asked for: it moves no schedule, so it needs no leadership); then per item: 1 name,
--       2 revision seen and, unless somebody asked, a line further, next instant seen (ms), 3 the next after it (ms, "" for
--       none), 4 how, which most items of a call have in common, in lines: decision (fire | skip | cancel | behind), kind
--       (scheduled | catch_up | manual | backfill), instants this row stands for, scheduled (ms), when the next is to be
--       decided on (ms, "+inf" for never, "" for the next instant itself), reason, what the row keeps beside the reason (JSON,
--       may be empty), then what else the producer of the job said, as lines of its record; 5 live runs seen (ids joined by
--       spaces), 6 extra members of the event (JSON, may be empty), 7 job id, 8 envelope (both "" where it makes none).
-- Pre   the token is the fence; revision, next instant and live runs are as seen; the instant is to be decided on by now.
--       An instant that is backfilled is before the next instant of its entry, and no job was made for it.
-- Post  the job (if any) is available, or waits behind its predecessor; cancelled runs are cancelled; entry advanced;
--       one ledger row (a disabled entry has one until it changes); events told. A job of that id that exists already was
--       made for this very instant: it is kept. Of more than 100 live runs 100 are cancelled, and the answer is `stale`.
-- Order envelopes; of each item the runs that it ends or makes, then its row; then all at once the records of jobs and entries,
--       then the places of both in their indexes, counts, bells, events. An entry that has moved on has its job, and one that
--       has not finds that job when the instant is decided on again, and makes none.
-- Reply {"ok", now, code…} with code: ok | already (fired by somebody else) | stale (changed since it was read) | early |
--       gone (what is there is no entry, or nothing is); or {"fenced", now, fence}.

return function()
  local fence = redis.call('GET', key(FENCE)) or ''
  if arg(1) ~= '' and fence ~= arg(1) then return { 'fenced', NOW_MS, fence } end
  redis.call('XLEN', key(EVENTS))
  check('ZCARD', key(CRONS))
  check('ZCARD', key(ENDED, 'cancelled'))
  check('ZCARD', key(EXPIRES))
  check('ZCARD', key(WAITING))

  local ARGS = 8
  local HOW = '^(%a+)\n([%a_]+)\n(%d+)\n(%-?%d+)\n(%C*)\n(%C*)\n([^\n]*)\n(.*)$'
  -- Nothing of a kind, for all that have nothing.
  local NONE = {}
  local NOW_WRITTEN = rfc3339(NOW_MS, true)
  local CRON_KEYS, LIVE_KEYS, LEDGERS, JOB_KEYS = key(CRON), key(LIVE), key(LEDGER), key(JOB)
  local crons = key(CRONS)

  -- Many entries are due at one instant, which is written out once, and so is how long ago it was.
  local instants = {}
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
  local hows = {}
  local function how_of(lines)
    local decision, kind, count, scheduled, look_at, reason, because, said = string.match(lines, HOW)
    local fires, instant = decision ~= 'skip', written(scheduled)
    local how = {
      decision = decision, kind = kind, scheduled = scheduled, look_at = look_at, reason = reason, said = said,
      fires = fires, is_sound = false,
      row = '\0s\0' .. scheduled .. '\0a\0' .. NOW .. '\0n\0' .. count .. '\0k\0' .. kind
        .. (because ~= '' and '\0w\0' .. because or ''),
      told = instant.times .. (fires and ',"actual_time":"' .. NOW_WRITTEN .. '","kind":"' .. kind .. '","manual":'
        .. (kind == 'manual' and 'true' or 'false') .. ',"missed_count":' .. text(tonumber(count) - 1)
        or ',"kind":"' .. kind .. '","skipped_count":' .. count) .. ',"lateness_ms":' .. instant.late_ms,
    }
    if fires then
      how.job = job_new(#KEYS + 1, '', 'available', 0, '', said, '')
      how.told_of_job = '","job_type":"' .. how.job.type .. '","run_count":'
      how.ready = usual_key(READY, how.job.queue)
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
    elseif not is_due and tonumber(redis.call('ZSCORE', crons, item.name) or string.match(mark, '%-?%d+$')) > NOW_MS then
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
        how.job.cron = item.name
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
    local due = redis.call('ZRANGE', crons, '-inf', NOW, 'BYSCORE', 'LIMIT', '0', text(#items))
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

  local function start(item)
    local how, id, name = item.how, item.id, item.name
    local job, waits = how.job, how.decision == 'behind'
    job.id, job.seq, job.said = id, next_seq(job.queue), how.said .. 'cron ' .. name .. (waits and '\nwaits 1\n' or '\n')
    changed[#changed + 1] = { key = item.job_key, text = job_text(job), changed = true }
    -- It may have been looked for before.
    if not item.rests then records[id] = nil end
    if job.expires then place(key(EXPIRES), id, job.expires) end
    redis.call('ZADD', item.live_key, how.scheduled, id)
    if waits then
      wait_in_line(name, id)
    else
      place(how.ready, id, ready_score(job))
      ring(job.queue, 1)
    end
    count(job.queue, nil, 'available')
    tell_enqueued(job)
  end

  -- Ends the runs that a decision ends.
  local function clear(item)
    for _, id in ipairs(item.gone) do
      redis.call('ZREM', item.live_key, id)
      leave_line(item.name, id)
    end
    if item.stuck then let_go(item.stuck) end
    -- Nobody is let go by these ends: the new run takes the place of all of them.
    for _, job in ipairs(item.cancel) do
      if job.waits then leave_line(item.name, job.id) end
    end
    for _, job in ipairs(item.cancel) do
      local look = { run = { gone = {}, row = item.row } }
      cancel_job(job, look, 'cron', 'replaced by the next run')
      item.row = look.run.row
    end
  end

  local function apply(item)
    local how, name, id = item.how, item.name, item.id
    if not item.rests then
      clear(item)
      if item.partial then return 'stale' end
    end
    local decided
    if how.fires then
      if not item.exists then start(item) end
      -- As `tell` does, with the data made at once with what stands before it.
      told[#told + 1] = 'cron.triggered\ncron\n' .. name .. '\n{"cron_name":"' .. name .. '","job_id":"' .. id
        .. how.told_of_job .. item.runs .. how.told .. item.extra .. '}'
      decided = '\0d\0fired\0j\0' .. id .. how.row
    else
      local live = (item.live or NONE)[1]
      tell('cron.skipped', 'cron', name, '{"cron_name":"' .. name .. '","reason":"' .. how.reason
        .. (live and '","active_job_id":"' .. live .. '","existing_job_id":"' .. live or '') .. '"' .. how.told .. item.extra
        .. '}')
      decided = '\0d\0skipped\0r\0' .. how.reason .. (live and '\0l\0' .. live or '') .. how.row
    end
    -- A disabled entry says so once in its ledger, and does not push out what it did before.
    if not item.says_nothing then ledger_add(item.ledger, item.row, decided) end
    changed[#changed + 1] = item
    if item.moves then
      place(crons, name, how.look_at ~= '' and how.look_at or item.next ~= '' and item.next or '+inf')
    end
  end

  -- The items, in groups: no entry comes twice in one, so that nothing that is done to one changes what was read of another.
  local groups, seen_names, ARGV = { {} }, {}, ARGV
  for i = 6, #ARGV, ARGS do
    local name, was, next_mark, lines, seen, extra, id, env = unpack(ARGV, i, i + ARGS - 1)
    local how, live_key = hows[lines] or how_of(lines), LIVE_KEYS .. name
    local item = {
      name = name, was = was, next = next_mark, how = how, seen = seen, extra = extra, id = id, env = env,
      key = CRON_KEYS .. name, live_key = live_key, ledger = LEDGERS .. name,
      job_key = how.fires and JOB_KEYS .. id or live_key,
      row = false, rests = false, runs = false, moves = false, text = false, changed = true,
    }
    if how.fires then expect(how.job.queue) end
    if seen_names[name] then
      groups[#groups + 1], seen_names = {}, {}
    end
    seen_names[name] = true
    local group = groups[#groups]
    group[#group + 1] = item
  end
  local reply = { 'ok', NOW_MS }
  for g, items in ipairs(groups) do
    -- What has been done is written before it is read.
    if g > 1 then settle() end
    local codes = #items > 0 and refusals(items)
    -- Before there is a job it has its envelope.
    local envelopes = {}
    for n, item in ipairs(items) do
      if not codes[n] and item.how.fires and not item.exists and not item.partial then
        local last = #envelopes
        envelopes[last + 1], envelopes[last + 2] = key(ENV, item.id), item.env
      end
    end
    if #envelopes > 0 then redis.call('MSET', unpack(envelopes)) end
    -- Each item is a unit: entries are independent, and one that is refused does not hold up the others.
    for n, item in ipairs(items) do
      reply[#reply + 1] = codes[n] or apply(item) or 'ok'
    end
  end
  return reply
end
