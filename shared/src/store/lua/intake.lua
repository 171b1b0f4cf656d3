-- How a job comes into being. Shared by enqueue and flow_create. The keys that it touches were read before; each job is a
-- unit, since taking one in may cancel another.

-- Writes the envelopes of jobs that are about to be taken in, all at once: before there is a job it has its envelope.
local function write_envelopes(jobs)
  local values = {}
  for _, job in ipairs(jobs) do
    if not job.made and not job.ignored then
      local n = #values
      values[n + 1], values[n + 2] = job.env_key, job.env
    end
  end
  each_part(values, function(...) redis.call('MSET', ...) end)
end

-- `job`: made, with id, state wanted, time, env.
local function take_in(job)
  -- As it is now: another job of this batch may have replaced it, or its workflow have moved.
  local holder = job.replaces and job_read(job.replaces.id)
  if holder and not TERMINAL[holder.state] then
    local reason = 'replaced by ' .. job.id
    cancel_job(holder, end_look(holder, 'cancelled', reason), 'unique', reason)
  end
  local score = job.time
  if job.expires and tonumber(job.expires) <= NOW_MS then
    job.state, score = 'discarded', NOW_MS
  elseif job.state == 'scheduled' and job.time <= NOW_MS then
    job.state = 'available'
  end
  job.seq = next_seq(job.queue)
  if job.state == 'scheduled' then
    set(job, 'due', text(job.time))
  elseif job.state == 'discarded' then
    job.ended = NOW
    set(job, 'expired', NOW)
  end
  records[job.id] = job
  change(job)
  if job.unique then
    redis.call('SET', key(UNIQUE, job.unique), job.id)
    if job.period then redis.call('PEXPIRE', key(UNIQUE, job.unique), job.period) end
  end
  if job.rate ~= '' then redis.pcall('HSET', key(QUEUE, job.queue), 'rate', job.rate) end
  if job.expires and job.state ~= 'discarded' then place(key(EXPIRES), job.id, job.expires) end
  if job.state == 'pending' then score = NOW_MS end
  local _, index = index_of(job, job.state)
  place(index, job.id, job.state == 'available' and ready_score(job) or text(score))
  count(job.queue, nil, job.state)
  if job.state == 'available' then
    ring(job.queue, 1)
    tell_enqueued(job)
  elseif job.state == 'scheduled' then
    tell_of(job, 'job.scheduled', 'api', ',"state":"scheduled","scheduled_at":"' .. rfc3339(job.time) .. '"}')
  elseif job.state == 'discarded' then
    tell_expired(job)
  end
end

