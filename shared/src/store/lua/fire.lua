#!lua
-- Applies what was decided about due instants: the only place where a cron entry fires.
--
-- KEYS  events, told, crons, fence, due, expires, ended:cancelled, then per item: cron, live, wait, ledger, and where it makes a
--       job: job, env; then per queue: ready, queue, bell.
-- ARGV  1 token ("" for a run that somebody asked for: it moves no schedule, so it needs no leadership); then per item: 1 name,
--       2 revision seen, 3 next instant seen (ms; "" when asked for), 4 the next after it (ms, "" for none), 5 when that is to be
--       decided on (ms, "" for never), 6 decision (fire | skip | cancel | behind), 7 reason, 8 live runs seen (ids joined by
--       spaces), 9 scheduled (ms), 10 instants this row stands for, 11 extra members of the event (JSON, may be empty), 12 kind
--       (scheduled | catch_up | manual | backfill), 13 what the row keeps beside the reason (may be empty); and where it makes a
--       job: 14 job id, 15 envelope, 16 queue, type and what else its producer said, as lines of its record.
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

  -- Nothing of a kind, for all that have nothing.
  local NONE = {}
  local crons = key(CRONS)

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

  -- Reads at once what can be asked of many entries at once: their records, when each is due by the index, whether any has a
  -- ledger yet, and whether anything at all is there of their runs and of the jobs to be made: most often nothing is, and
  -- no more need be asked.
  local function look(items)
    local names, entries, beside, ledgers = {}, {}, {}, {}
    for i, item in ipairs(items) do
      names[i], entries[i], ledgers[i] = item.name, item.key, item.ledger
      local n = #beside
      beside[n + 1], beside[n + 2], beside[n + 3] = item.live_key, item.wait_key, item.job.key
    end
    local scores = redis.call('ZMSCORE', key(CRONS), unpack(names))
    local found = redis.call('MGET', unpack(entries))
    local no_ledgers = redis.call('EXISTS', unpack(ledgers)) == 0
    local all_rest = redis.call('EXISTS', unpack(beside)) == 0
    for i, item in ipairs(items) do
      item.score, item.record = scores[i], found[i]
      item.row = not no_ledgers and redis.call('LINDEX', item.ledger, '-1')
      item.rests = all_rest or redis.call('EXISTS', item.live_key, item.wait_key, item.job.key or item.live_key) == 0
    end
  end

  -- Queues whose keys are sound.
  local sound_queues = {}
  local function check_job(item)
    local job = item.job
    if item.rests and sound_queues[job.queue] and not job.limit then return end
    check_indexes(job)
    sound_queues[job.queue] = true
  end

  local function refusal(item)
    local rev, next_now, runs, rung, last, silent, registered = string.match(item.record or '', FIRED_LINES)
    if not rev then return 'gone' end
    local job = item.job
    -- Also when an item before this one has made it.
    job.exists = job.id and (records[job.id] or not item.rests and redis.call('EXISTS', job.key) == 1)
    if item.kind == 'backfill' then
      if job.exists then return 'already' end
      -- What the schedule has yet to decide on is not ours to decide.
      if next_now ~= '' and tonumber(next_now) <= item.scheduled then return 'early' end
    end
    -- A run that somebody asked for has an id of its own: it is there if this very call was made before.
    if item.seen == '' and job.exists then return 'ok' end
    if item.seen ~= '' and next_now ~= item.seen then return 'already' end
    if rev ~= item.rev then return 'stale' end
    if item.seen ~= '' and tonumber(item.score or item.seen) > NOW_MS then return 'early' end
    item.next_now, item.runs, item.rung, item.last, item.silent, item.registered = next_now, runs, rung, last, silent, registered
    item.live, item.gone, item.cancel = NONE, NONE, NONE
    if item.rests then
      if item.live_seen ~= '' then return 'stale' end
    else
      item.live, item.gone = live_runs(item.name)
      if table.concat(item.live, ' ') ~= item.live_seen then return 'stale' end
      -- More runs than one call may end: these are cancelled now, and the decision is made again.
      item.partial = item.decision == 'cancel' and redis.call('ZCARD', item.live_key) > #item.live + #item.gone
      -- A run whose record has vanished ends nobody's wait: if all that are left wait, the first of them is let go.
      local waiting = redis.call('LRANGE', item.wait_key, 0, 99)
      item.stuck = #item.gone > 0 and #item.live > 0 and item.decision ~= 'cancel' and all_wait(item.live)
        and first_there(waiting) or nil
    end
    if job.id then check_job(item) end
    if item.decision == 'cancel' then
      item.cancel = {}
      for _, id in ipairs(item.live) do
        local run = job_read(id)
        check_indexes(run)
        item.cancel[#item.cancel + 1] = run
      end
    end
    return nil
  end

  local function start(item)
    local job = item.job
    if job.exists then return end
    job.seq = next_seq(job.queue)
    note(job, 'cron', item.name)
    records[job.id] = job
    change(job)
    if job.expires then place(key(EXPIRES), job.id, job.expires) end
    redis.call('ZADD', item.live_key, item.scheduled_text, job.id)
    if item.decision == 'behind' then
      set(job, 'waits', '1')
      wait_in_line(item.name, job.id)
    else
      place(usual_key(READY, job.queue), job.id, ready_score(job))
      ring(job.queue, 1)
    end
    count(job.queue, nil, 'available')
    tell_enqueued(job)
  end

  -- Many entries are due at one instant, which is written out once, and so is how long ago it was.
  local instants = {}
  local function written(ms)
    local instant = instants[ms]
    if not instant then
      local scheduled = rfc3339(ms)
      instant = {
        times = ',"scheduled_time":"' .. scheduled .. '","scheduled_at":"' .. scheduled .. '"',
        late_ms = text(math.max(0, NOW_MS - ms)),
      }
      instants[ms] = instant
    end
    return instant
  end

  local NOW_WRITTEN = rfc3339(NOW_MS, true)

  -- One more, both as text; Lua counts no further than 2^53.
  local function after(so_far)
    local number = tonumber(so_far)
    return number < 9007199254740991 and text(number + 1) or so_far
  end

  local function apply(item)
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
    if item.partial then return 'stale' end
    local fired = item.decision ~= 'skip'
    local instant, first_live = written(item.scheduled), item.live[1]
    if fired then
      start(item)
      local runs = after(item.runs)
      item.runs, item.last = runs, NOW
      if item.seen ~= '' then item.rung = after(item.rung) end
      -- As `tell` does, with the data made at once with what stands before it.
      told[#told + 1] = 'cron.triggered\ncron\n' .. item.name .. '\n{"cron_name":"' .. item.name
        .. '","job_id":"' .. item.job.id .. '","job_type":"' .. item.job.type .. '","run_count":' .. runs .. instant.times
        .. ',"actual_time":"' .. NOW_WRITTEN .. '","kind":"' .. item.kind .. '","manual":'
        .. (item.kind == 'manual' and 'true' or 'false') .. ',"missed_count":'
        .. (item.instants == '1' and '0' or text(tonumber(item.instants) - 1)) .. ',"lateness_ms":' .. instant.late_ms
        .. item.extra .. '}'
    else
      local live = first_live and ',"active_job_id":"' .. first_live .. '","existing_job_id":"' .. first_live .. '"' or ''
      tell('cron.skipped', 'cron', item.name, '{"cron_name":"' .. item.name .. '","reason":"' .. item.reason .. '"' .. live
        .. instant.times .. ',"kind":"' .. item.kind .. '","skipped_count":' .. item.instants .. ',"lateness_ms":'
        .. instant.late_ms .. item.extra .. '}')
    end
    -- A disabled entry says so once in its ledger, and does not push out what it did before.
    local silent = item.reason == 'disabled'
    if not (silent and item.silent == '1') then
      local decided = fired and '\0d\0fired\0j\0' .. item.job.id
        or '\0d\0skipped\0r\0' .. item.reason .. (first_live and '\0l\0' .. first_live or '')
      ledger_add(item.ledger, item.row, decided .. '\0s\0' .. item.scheduled_text .. '\0a\0' .. NOW .. '\0n\0' .. item.instants
        .. '\0k\0' .. item.kind .. (item.because ~= '' and '\0w\0' .. item.because or ''))
    end
    if silent then item.silent = '1' end
    if item.seen ~= '' then
      item.next_now = item.next
      place(crons, item.name, item.look_at ~= '' and item.look_at or '+inf')
    end
    item.text = item.rev .. '\n' .. item.next_now .. '\n' .. item.runs .. '\n' .. item.rung .. '\n' .. item.last .. '\n'
      .. item.silent .. '\n' .. item.registered
    changed[#changed + 1] = item
  end

  -- The items, in groups: no entry comes twice in one, so that nothing that is done to one changes what was read of another.
  local groups, seen_names, KEYS, k, i = { {} }, {}, KEYS, 8, 2
  while arg(i + 12) do
    local name, rev, seen, next_mark, look_at, decision, reason, live_seen, scheduled, instants_n, extra, kind, because, id, env,
      said = unpack(ARGV, i + 4, i + 19)
    local item = {
      name = name, rev = rev, seen = seen, next = next_mark, look_at = look_at, decision = decision, reason = reason,
      live_seen = live_seen, scheduled = tonumber(scheduled), scheduled_text = scheduled, instants = instants_n,
      extra = extra, kind = kind, because = because, job = NONE,
      key = KEYS[k], live_key = KEYS[k + 1], wait_key = KEYS[k + 2], ledger = KEYS[k + 3],
    }
    k, i = k + 4, i + 13
    if decision ~= 'skip' then
      item.job = job_new(k, id, 'available', 0, env, said, '')
      item.job.cron = name
      k, i = k + 2, i + 3
      expect(item.job.queue)
    end
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
    if #items > 0 then look(items) end
    local codes = {}
    for n, item in ipairs(items) do codes[n] = refusal(item) or false end
    -- Before there is a job it has its envelope.
    local envelopes = {}
    for n, item in ipairs(items) do
      local job, last = item.job, #envelopes
      if not codes[n] and job.id and not job.exists and not item.partial then
        envelopes[last + 1], envelopes[last + 2] = job.env_key, job.env
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
