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

-- Arguments of an item.
local ARGS = 8

-- Makes the job of an item.
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
    tell_lines('cron.triggered\ncron\n' .. name .. '\n{"cron_name":"' .. name .. '","job_id":"' .. id
      .. how.told_of_job .. item.runs .. how.told .. item.extra .. '}')
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
    place(key(CRONS), name, how.look_at ~= '' and how.look_at or item.next ~= '' and item.next or '+inf')
  end
end

return function()
  local fence = redis.call('GET', key(FENCE)) or ''
  if arg(1) ~= '' and fence ~= arg(1) then return { 'fenced', NOW_MS, fence } end
  redis.call('XLEN', key(EVENTS))
  check('ZCARD', key(CRONS))
  check('ZCARD', key(ENDED, 'cancelled'))
  check('ZCARD', key(EXPIRES))
  check('ZCARD', key(WAITING))

  -- The items, in groups: no entry comes twice in one, so that nothing that is done to one changes what was read of another.
  local groups, seen_names, ARGV = { {} }, {}, ARGV
  local CRON_KEYS, LIVE_KEYS, LEDGERS, JOB_KEYS = key(CRON), key(LIVE), key(LEDGER), key(JOB)
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
