-- The ways in which an attempt, or a job without one, ends. Shared by finish and reclaim.

-- What ended in this call, by queue. Counted at its end, so that many ends cost as much as one.
local tallies

local function tally(queue)
  local of = tallies[queue]
  if not of then
    of = { completed = 0, failed = 0, ran_ms = 0, waited_ms = 0 }
    tallies[queue] = of
  end
  return of
end

local MINUTES_KEPT_MS = '7200000'

-- Counts what ended by the minute: `c<minute>` is 2^40 for each job that completed, and the ms they ran; `w<minute>` the ms
-- they had waited; `f<minute>` the attempts that failed.
local function count_minutes()
  local minute = math.floor(NOW_MS / 60000)
  for queue, ended in pairs(tallies) do
    local minutes = key(MINUTES, queue .. ':' .. text(math.floor(minute / 10)))
    local function add(field, delta)
      if delta == 0 then return end
      local sum = redis.pcall('HINCRBY', minutes, field .. text(minute), text(delta))
      -- The first of its kind: until then nobody saw to it that it is forgotten.
      if sum == delta then redis.call('PEXPIRE', minutes, MINUTES_KEPT_MS) end
    end
    add('c', ended.completed * 1099511627776 + ended.ran_ms)
    add('w', ended.waited_ms)
    add('f', ended.failed)
  end
end

local function tell_failed(job, item, state)
  local ended = tally(job.queue)
  ended.failed = ended.failed + 1
  local data = ',"state":"' .. state .. '","attempt":' .. job.attempt
  tell_of(job, 'job.failed', 'workers', data .. ',"duration_ms":' .. (NOW_MS - tonumber(job.started or NOW_MS))
    .. ',"error":' .. item.error .. '}')
  return data
end

local function tell_discarded(job, data, error)
  tell_of(job, 'job.discarded', 'workers', data .. ',"total_attempts":' .. job.attempt .. ',"last_error":' .. error .. '}')
end

local function keep_error(job, item)
  redis.call('RPUSH', key(ERRORS, job.id), item.json)
  redis.call('LTRIM', key(ERRORS, job.id), -item.errors_kept, -1)
  set(job, 'failed', '1')
end

local ENDS = {}

-- Times are the same for many jobs, and slow to read.
local times
each_call(function() tallies, times = {}, {} end)

local function time(written)
  local ms = times[written]
  if not ms then
    ms = tonumber(written)
    times[written] = ms
  end
  return ms
end

-- Counts an attempt that completed, and says how long it ran (ms).
local function tally_completed(queue, started, enqueued)
  local ended = tally(queue)
  started, enqueued = time(started), time(enqueued)
  ended.completed = ended.completed + 1
  if started < NOW_MS then ended.ran_ms = ended.ran_ms + NOW_MS - started end
  if enqueued < started then ended.waited_ms = ended.waited_ms + started - enqueued end
  return NOW_MS - started
end

-- What the event of an attempt says that completed, up to its result.
local function completed_said(attempt, ran_ms)
  return ',"state":"completed","attempt":' .. attempt .. ',"duration_ms":' .. text(ran_ms)
end

-- Keeps the result, if there is one; what the event says of it.
local function result_kept(item)
  if item.json == '' then return '' end
  redis.call('SET', key(OUT, item.id), item.json)
  return #item.json <= 1024 and ',"result":' .. item.json or ''
end

function ENDS.completed(job, item, look)
  local ran_ms = tally_completed(job.queue, job.started, job.enqueued)
  if job.failed then unset(job, 'failed') end
  local result = result_kept(item)
  job.ended = NOW
  enter(job, 'completed', NOW)
  tell_of(job, 'job.completed', 'workers', completed_said(job.attempt, ran_ms) .. result .. '}')
  job_ended(job, look, item.summary)
end

function ENDS.retryable(job, item)
  local due = NOW_MS + item.delay_ms
  keep_error(job, item)
  enter(job, 'retryable', text(due))
  set(job, 'due', text(due), 'delay', item.delay_ms)
  local data = tell_failed(job, item, 'retryable')
  tell_of(job, 'job.retrying', 'workers', data .. ',"max_attempts":' .. (job.max or '3') .. ',"next_retry_at":"'
    .. rfc3339(due) .. '","retry_delay_ms":' .. item.delay_ms .. ',"error":' .. item.error .. '}')
end

function ENDS.discarded(job, item, look)
  keep_error(job, item)
  job.ended = NOW
  enter(job, 'discarded', NOW)
  tell_discarded(job, tell_failed(job, item, 'discarded'), item.error)
  job_ended(job, look, item.summary)
end

function ENDS.dead(job, item, look)
  -- Before `dead` is set, because it changes the name of the index.
  leave(job)
  count(job.queue, job.state, 'discarded')
  keep_error(job, item)
  job.state, job.ended = 'discarded', NOW
  set(job, 'dead', '1')
  place(key(ENDED, 'dead'), job.id, NOW)
  place(key(DEAD, job.queue), job.id, NOW)
  tell_discarded(job, tell_failed(job, item, 'discarded'), item.error)
  job_ended(job, look, item.summary)
end

-- Given back: the attempt does not count. With a delay it is retryable for so long.
function ENDS.returned(job, item)
  job.attempt = text(tonumber(job.attempt) - 1)
  set(job, 'returns', 1 + tonumber(job.returns or '0'))
  if item.delay_ms == 0 then
    job.enqueued = NOW
    enter(job, 'available', ready_score(job))
    ring(job.queue, 1)
    return tell_enqueued(job)
  end
  local due = NOW_MS + item.delay_ms
  enter(job, 'retryable', text(due))
  set(job, 'due', text(due), 'delay', item.delay_ms)
  tell_of(job, 'job.retrying', 'workers', ',"state":"retryable","attempt":' .. job.attempt
    .. ',"max_attempts":' .. (job.max or '3') .. ',"next_retry_at":"' .. rfc3339(due) .. '","retry_delay_ms":'
    .. item.delay_ms .. ',"error":' .. item.error .. '}')
end

-- What an end is to whoever waits for the job; nothing when it is none.
local OUTCOMES = { completed = 'completed', discarded = 'failed', dead = 'failed' }

local function end_attempt(item)
  local job = job_read(item.id)
  if not job then return 'gone' end
  if job.lease ~= item.lease then return 'stale' end
  if job.state == 'cancelled' then return 'cancelled' end
  if job.state ~= 'active' then return 'done' end
  if item.outcome == 'completed' then
    check_move(job, 'completed')
  else
    check_indexes(job)
    check('ZCARD', kept_key(ENDED, item.outcome))
    redis.call('LLEN', key(ERRORS, job.id))
  end
  if item.outcome == 'dead' then check('ZCARD', key(DEAD, job.queue)) end
  local look = end_look(job, OUTCOMES[item.outcome], item.summary)
  ENDS[item.outcome](job, item, look)
  return 'ok'
end
