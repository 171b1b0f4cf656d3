-- What time does to jobs: due ones become available, expired ones are discarded. Shared by enqueue, claim, promote,
-- expire, flow_create.

local function tell_expired(job)
  local created = created_of(job)
  tell_of(job, 'job.expired', 'scheduler', ',"state":"discarded","created_at":"' .. rfc3339(created)
    .. '","expired_at":"' .. rfc3339(NOW_MS) .. '","ttl_ms":' .. (tonumber(job.expires) - created) .. '}')
end

local EXPIRED = 'expired before it was claimed'

-- A job that nobody claimed in time. It has not completed: there is no attempt to tell of.
local function expire_job(job, look)
  job.ended = NOW
  enter(job, 'discarded', NOW)
  set(job, 'expired', NOW)
  if job.waits then unset(job, 'waits') end
  tell_expired(job)
  job_ended(job, look, EXPIRED)
end

-- One job, as it is now: what was read before another job ended may be out of date.
local function expire_if_due(id)
  local job = job_read(id)
  local waits = job and (job.state == 'available' or job.state == 'scheduled' or job.state == 'pending')
  if not waits or not job.expires or tonumber(job.expires) > NOW_MS then return end
  check_indexes(job)
  expire_job(job, end_look(job, 'failed', EXPIRED))
end

local function promote_due(most)
  local ids = redis.call('ZRANGE', key(DUE), '-inf', NOW, 'BYSCORE', 'LIMIT', '0', text(most))
  local jobs = {}
  jobs_read(ids)
  for i, id in ipairs(ids) do
    local job = job_read(id) or false
    jobs[i] = job
    if job then
      check_indexes(job)
      expect(job.queue)
    end
  end
  for i, id in ipairs(ids) do
    local job = jobs[i]
    if not job or (job.state ~= 'scheduled' and job.state ~= 'retryable') then
      place(key(DUE), id)
    else
      make_available(job)
      tell_enqueued(job)
    end
  end
  return #ids
end
