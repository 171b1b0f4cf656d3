#!lua
-- Takes jobs in: all of them or none.
--
-- KEYS  events, due, parked, expires, then per job: job, env, and unique of its fingerprint if it
--       has one; per queue: ready, queue, bell.
-- ARGV  per job: id, envelope, who asks and behind it what its producer said, as lines of its record; then "" for a job
--       that is simply available, or six lines: state wanted (available | scheduled | pending), time (ms: when it is due for
--       `scheduled`), on conflict (reject | ignore | replace | replace_except_schedule | ""), states of the holder that conflict
--       (joined by commas), period (ms) or "", rate of its queue ("<starts>:<ms>") or "".
-- Pre   no job of these ids exists, unless the same request made it, and no two have one id; no other job holds a
--       fingerprint, or the policy says what to do with it.
-- Post  each is in the index of its state; one event each; the bells have rung. What is due already is available; what
--       has expired already is discarded.
-- Reply {"ok", now, state, id, …}, where an ignored job has the state "ignored" and the id of the holder | {"exists", id} |
--       {"duplicate", id of the holder, place in the batch}. A request sent twice makes its jobs once.

-- The job that stands in the way of this one. `taken`: fingerprints of jobs before it in the batch.
local function holder_of(job, taken)
  if taken[job.unique] then return taken[job.unique] end
  local id = redis.call('GET', key(UNIQUE, job.unique))
  local holder = id and job_read(id)
  if not holder or not string.find(',' .. job.states .. ',', ',' .. holder.state .. ',', 1, true) then return nil end
  if job.period and created_of(holder) + job.period <= NOW_MS then return nil end
  return holder
end

return function()
  local jobs, k = {}, 6
  for i = 5, #ARGV, 4 do
    local id, env, described, terms = unpack(ARGV, i, i + 3)
    local request, said = string.match(described, '^(%C*)\n(.*)$')
    local job
    if terms == '' then
      job = job_new(k, id, 'available', 0, env, said, request)
    else
      local state, time, on_conflict, states, period, rate =
        string.match(terms, '^(%C*)\n(%C*)\n(%C*)\n(%C*)\n(%C*)\n(%C*)$')
      job = job_new(k, id, state, tonumber(time), env, said, request)
      job.on_conflict, job.states, job.period, job.rate = on_conflict, states, tonumber(period), rate
    end
    jobs[#jobs + 1] = job
    k = k + (job.unique and 3 or 2)
  end

  local taken = {}
  redis.call('XLEN', key(EVENTS))
  local ids, names, there = {}, {}, 0
  for place, job in ipairs(jobs) do names[place] = job.key end
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
      local made = job_read(job.id)
      if not made or request_of(made) ~= request_of(job) then return { 'exists', job.id } end
      job.made = made.state
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
    local n = #reply
    reply[n + 1], reply[n + 2] = job.ignored and 'ignored' or job.made or job.state, job.ignored or job.id
  end
  return reply
end
