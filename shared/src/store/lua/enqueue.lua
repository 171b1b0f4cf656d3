#!lua
-- Takes jobs in: all of them or none.
--
-- KEYS  events, due, parked, expires, then per job: job, env, and unique of its fingerprint if it
--       has one; per queue: ready, queue, bell.
-- ARGV  per job: id, state wanted (available | scheduled | pending), time (ms: when it is due for `scheduled`), envelope,
--       on conflict (reject | ignore | replace | replace_except_schedule | ""), states of the holder that conflict (joined by
--       commas), period (ms) or "", rate of its queue ("<starts>:<ms>") or "", number of field pairs, the pairs. `queue`,
--       `type`, `expires`, `unique` (fingerprint) are among the fields, and `request`: who asked.
-- Pre   no job of these ids exists, unless the same request made it, and no two have one id; no other job holds a
--       fingerprint, or the policy says what to do with it.
-- Post  each is in the index of its state; one event each; the bells have rung. What is due already is available; what
--       has expired already is discarded.
-- Reply {"ok", now, state, id, …}, where an ignored job has the state "ignored" and the id of the holder | {"exists", id} |
--       {"duplicate", id of the holder, place in the batch}. A request sent twice makes its jobs once.

local jobs, i = {}, 1
while arg(i) do
  local job = {
    id = arg(i), state = arg(i + 1), time = tonumber(arg(i + 2)), env = arg(i + 3), on_conflict = arg(i + 4),
    states = arg(i + 5), period = tonumber(arg(i + 6)), rate = arg(i + 7), fields = {},
  }
  local pairs_n = tonumber(arg(i + 8))
  for p = 0, pairs_n - 1 do
    local name, value = arg(i + 9 + 2 * p), arg(i + 10 + 2 * p)
    job[name] = value
    job.fields[2 * p + 1], job.fields[2 * p + 2] = name, value
  end
  i = i + 9 + 2 * pairs_n
  table.insert(jobs, job)
end

-- The job that stands in the way of this one. `taken`: fingerprints of jobs before it in the batch.
local function holder_of(job, taken)
  if taken[job.unique] then return taken[job.unique] end
  local id = redis.call('GET', key(UNIQUE, job.unique))
  local holder = id and job_read(id)
  if not holder or not string.find(',' .. job.states .. ',', ',' .. holder.state .. ',', 1, true) then return nil end
  if job.period and tonumber(holder.created) + job.period <= NOW_MS then return nil end
  return holder
end

local taken = {}
redis.call('XLEN', key(EVENTS))
local ids, names, there = {}, {}, 0
for place, job in ipairs(jobs) do names[place] = key(JOB, job.id) end
-- Most often none of them is there, and no more need be asked.
each_part(names, function(...) there = there + redis.call('EXISTS', ...) end)
for place, job in ipairs(jobs) do
  if ids[job.id] then return { 'exists', job.id } end
  ids[job.id] = true
  check_queue(job.queue)
  check_index(job, job.state)
  if job.state == 'scheduled' then check_index(job, 'available') end
  if job.expires then
    check('ZCARD', key(EXPIRES))
    check_index(job, 'discarded')
  end
  if there > 0 and redis.call('EXISTS', names[place]) == 1 then
    local made = redis.call('HMGET', names[place], 'request', 'state')
    if made[1] ~= job.request then return { 'exists', job.id } end
    job.made = made[2]
  end
  local holder = job.unique and not job.made and holder_of(job, taken)
  if holder and job.on_conflict == 'reject' then return { 'duplicate', holder.id, place } end
  if holder and job.on_conflict == 'ignore' then
    job.ignored = holder.id
  elseif holder then
    if holder.env then return { 'duplicate', holder.id, place } end
    job.replaces = not TERMINAL[holder.state] and holder or nil
    if job.on_conflict == 'replace_except_schedule' and holder.state == 'scheduled' then
      job.state, job.time = 'scheduled', tonumber(holder.due)
    end
    if job.replaces then
      check_indexes(holder)
      check('ZCARD', key(ENDED, 'cancelled'))
    end
  end
  if job.unique and not job.ignored then taken[job.unique] = job end
  if not job.made and not job.ignored then expect(job.queue) end
end

local reply = { 'ok', NOW_MS }
write_envelopes(jobs)
for _, job in ipairs(jobs) do
  if not job.made and not job.ignored then take_in(job) end
  table.insert(reply, job.ignored and 'ignored' or job.made or job.state)
  table.insert(reply, job.ignored or job.id)
end
return reply
