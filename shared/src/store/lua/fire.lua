#!lua
-- Applies what was decided about due instants: the only place where a cron entry fires.
--
-- KEYS  events, crons, fence, due, expires, ended:cancelled, then per item: cron, live, wait, ledger, job, env, ready, queue,
--       bell.
-- ARGV  1 token ("" for a run that somebody asked for: it moves no schedule, so it needs no leadership); then per item:
--       1 name, 2 revision seen, 3 next instant seen (ms; "" when asked for), 4 the next after it (ms, "" for none),
--       5 when that is to be decided on (ms, "" for never), 6 decision (fire | skip | cancel | behind), 7 reason, 8 live
--       runs seen (ids joined by spaces), 9 scheduled (ms), 10 instants this row stands for, 11 items of the ledger kept, 12 extra members
--       of the event (JSON, may be empty), 13 kind (scheduled | catch_up | manual | backfill), 14 what the row keeps beside
--       the reason (may be empty), 15 job id, 16 envelope, 17 number of field pairs, the pairs.
-- Pre   the token is the fence; revision, next instant and live runs are as seen; the instant is to be decided on by now.
--       An instant that is backfilled is before the next instant of its entry, and no job was made for it.
-- Post  the job (if any) is available, or waits behind its predecessor; cancelled runs are cancelled; entry advanced;
--       one ledger row (a disabled entry has one until it changes); events told. A job of that id that exists already was
--       made for this very instant: it is kept. Of more than 100 live runs 100 are cancelled, and the answer is `stale`.
-- Reply {"ok", now, code…} with code: ok | already (fired by somebody else) | stale (changed since it was read) | early |
--       gone; or {"fenced", now, fence}.

local fence = redis.call('GET', key(FENCE)) or ''
if arg(1) ~= '' and fence ~= arg(1) then return { 'fenced', NOW_MS, fence } end
redis.call('XLEN', key(EVENTS))
check('ZCARD', key(CRONS))
check('ZCARD', key(ENDED, 'cancelled'))
check('ZCARD', key(EXPIRES))
check('ZCARD', key(WAITING))

local function all_wait(runs)
  for _, id in ipairs(runs) do
    if not redis.call('HGET', key(JOB, id), 'waits') then return false end
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

local function refusal(item)
  local now = redis.call('HMGET', key(CRON, item.name), 'rev', 'next', 'runs', 'silent', 'rung')
  if not now[1] then return 'gone' end
  if item.kind == 'backfill' then
    if item.job.id ~= '' and redis.call('EXISTS', key(JOB, item.job.id)) == 1 then return 'already' end
    -- What the schedule has yet to decide on is not ours to decide.
    if now[2] ~= '' and tonumber(now[2]) <= item.scheduled then return 'early' end
  end
  -- A run that somebody asked for has an id of its own: it is there if this very call was made before.
  if item.seen == '' and redis.call('EXISTS', key(JOB, item.job.id)) == 1 then return 'ok' end
  if item.seen ~= '' and now[2] ~= item.seen then return 'already' end
  if now[1] ~= item.rev then return 'stale' end
  if item.seen ~= '' and tonumber(redis.call('ZSCORE', key(CRONS), item.name) or item.seen) > NOW_MS then return 'early' end
  item.runs, item.silent, item.rung = tonumber(now[3] or '0'), now[4], tonumber(now[5] or '0')
  local live, gone = live_runs(item.name)
  if table.concat(live, ' ') ~= item.live_seen then return 'stale' end
  item.live, item.gone = live, gone
  -- More runs than one call may end: these are cancelled now, and the decision is made again.
  item.partial = item.decision == 'cancel' and redis.call('ZCARD', key(LIVE, item.name)) > #live + #gone
  -- A run whose record has vanished ends nobody's wait: if all that are left wait, the first of them is let go.
  local waiting = redis.call('LRANGE', key(WAIT, item.name), 0, 99)
  item.stuck = #gone > 0 and #live > 0 and item.decision ~= 'cancel' and all_wait(live) and first_there(waiting) or nil
  check('XLEN', key(LEDGER, item.name))
  if item.decision ~= 'skip' then
    item.job.exists = redis.call('EXISTS', key(JOB, item.job.id)) == 1
    check_indexes(item.job)
  end
  item.cancel = {}
  if item.decision == 'cancel' then
    for _, id in ipairs(live) do
      local job = job_read(id)
      check_indexes(job)
      table.insert(item.cancel, job)
    end
  end
  return nil
end

local function start(item)
  local job = item.job
  if job.exists then return end
  job.state, job.attempt, job.seq = 'available', '0', next_seq(job.queue)
  if item.decision == 'behind' then
    table.insert(job.fields, 'waits')
    table.insert(job.fields, '1')
  end
  redis.call('SET', key(ENV, job.id), job.env)
  redis.call('HSET', key(JOB, job.id), 'state', 'available', 'attempt', '0', 'seq', job.seq, 'created', NOW,
    'enqueued', NOW, unpack(job.fields))
  if job.expires then place(key(EXPIRES), job.id, job.expires) end
  redis.call('ZADD', key(LIVE, item.name), text(item.scheduled), job.id)
  if item.decision == 'behind' then
    wait_in_line(item.name, job.id)
  else
    place(key(READY, job.queue), job.id, ready_score(job))
    ring(job.queue, 1)
  end
  count(job.queue, 'available', 1)
  tell_enqueued(job)
end

-- Many entries are due at one instant, which is written out once.
local instants = {}
local function written(ms)
  instants[ms] = instants[ms] or rfc3339(ms)
  return instants[ms]
end

local NOW_WRITTEN = rfc3339(NOW_MS, true)

local function apply(item)
  for _, id in ipairs(item.gone) do
    redis.call('ZREM', key(LIVE, item.name), id)
    leave_line(item.name, id)
  end
  if item.stuck then let_go(item.stuck) end
  -- Nobody is let go by these ends: the new run takes the place of all of them.
  for _, job in ipairs(item.cancel) do
    if job.waits then leave_line(item.name, job.id) end
  end
  for _, job in ipairs(item.cancel) do
    local look = { run = { gone = {}, ledger = redis.call('XLEN', key(LEDGER, item.name)) > 0 } }
    cancel_job(job, look, 'cron', 'replaced by the next run')
  end
  if item.partial then return 'stale' end
  local fired, changed = item.decision ~= 'skip', {}
  local function put(field, value)
    changed[#changed + 1] = field
    changed[#changed + 1] = value
  end
  local scheduled, late_ms = written(item.scheduled), text(math.max(0, NOW_MS - item.scheduled))
  local times = ',"scheduled_time":"' .. scheduled .. '","scheduled_at":"' .. scheduled .. '"'
  local row = { 'd', fired and 'fired' or 'skipped', 'r', item.reason, 's', text(item.scheduled), 'a', NOW,
    'n', text(item.instants), 'k', item.kind, 'j', fired and item.job.id or '', 'l', item.live[1] or '' }
  if item.because ~= '' then
    table.insert(row, 'w')
    table.insert(row, item.because)
  end
  if fired then
    start(item)
    item.runs = math.min(item.runs + 1, 9007199254740991)
    put('runs', text(item.runs))
    put('last', NOW)
    if item.seen ~= '' then put('rung', text(math.min(item.rung + 1, 9007199254740991))) end
    tell('cron.triggered', 'cron', item.name, '{"cron_name":"' .. item.name .. '","job_id":"' .. item.job.id
      .. '","job_type":"' .. item.job.type .. '","run_count":' .. text(item.runs) .. times
      .. ',"actual_time":"' .. NOW_WRITTEN .. '","kind":"' .. item.kind .. '","manual":'
      .. tostring(item.kind == 'manual') .. ',"missed_count":' .. (item.instants - 1) .. ',"lateness_ms":' .. late_ms
      .. item.extra .. '}')
  else
    local live = item.live[1] and ',"active_job_id":"' .. item.live[1] .. '","existing_job_id":"' .. item.live[1] .. '"' or ''
    tell('cron.skipped', 'cron', item.name, '{"cron_name":"' .. item.name .. '","reason":"' .. item.reason .. '"' .. live
      .. times .. ',"kind":"' .. item.kind .. '","skipped_count":' .. item.instants .. ',"lateness_ms":' .. late_ms
      .. item.extra .. '}')
  end
  -- A disabled entry says so once in its ledger, and does not push out what it did before.
  local silent = item.reason == 'disabled'
  if not (silent and item.silent) then
    redis.pcall('XADD', key(LEDGER, item.name), 'MAXLEN', '~', item.rows_kept, '*', unpack(row))
  end
  if silent then put('silent', '1') end
  if item.seen ~= '' then
    put('next', item.next)
    place(key(CRONS), item.name, item.look_at ~= '' and item.look_at or '+inf')
  end
  if #changed > 0 then redis.call('HSET', key(CRON, item.name), unpack(changed)) end
end

local reply, items, i = { 'ok', NOW_MS }, {}, 2
while arg(i) do
  local pairs_n = tonumber(arg(i + 16))
  local item = {
    name = arg(i), rev = arg(i + 1), seen = arg(i + 2), next = arg(i + 3), look_at = arg(i + 4), decision = arg(i + 5),
    reason = arg(i + 6), live_seen = arg(i + 7), scheduled = tonumber(arg(i + 8)), instants = tonumber(arg(i + 9)),
    rows_kept = arg(i + 10), extra = arg(i + 11), kind = arg(i + 12), because = arg(i + 13),
    job = { id = arg(i + 14), env = arg(i + 15), fields = {} },
  }
  for p = 0, pairs_n - 1 do
    local name, value = arg(i + 17 + 2 * p), arg(i + 18 + 2 * p)
    item.job[name] = value
    table.insert(item.job.fields, name)
    table.insert(item.job.fields, value)
  end
  i = i + 17 + 2 * pairs_n
  if item.decision ~= 'skip' then expect(item.job.queue) end
  table.insert(items, item)
end
for _, item in ipairs(items) do
  -- Each item is a unit: entries are independent, and one that is refused does not hold up the others.
  local code = refusal(item)
  if not code then code = apply(item) end
  table.insert(reply, code or 'ok')
end
return reply
