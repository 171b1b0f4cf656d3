-- The record of a job: read, told of, changed in place.

-- The worker of a claim that did not say who asked.
local ANONYMOUS = 'anonymous'

local TERMINAL = { completed = true, cancelled = true, discarded = true }

-- The record as a table, or nil when there is no such job.
local function job_read(id)
  local flat = redis.call('HGETALL', key(JOB, id))
  if #flat == 0 then return nil end
  local job = { id = id, flat = flat }
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  return job
end

-- The fields with which every event of a job begins.
local function job_data(job)
  return '{"job_id":"' .. job.id .. '","job_type":"' .. job.type .. '","queue":"' .. job.queue .. '"'
end

local function set(job, ...)
  local fields = { ... }
  for i = 1, #fields, 2 do job[fields[i]] = tostring(fields[i + 1]) end
  redis.call('HSET', key(JOB, job.id), ...)
end

local function unset(job, ...)
  for _, field in ipairs({ ... }) do job[field] = nil end
  redis.call('HDEL', key(JOB, job.id), ...)
end
