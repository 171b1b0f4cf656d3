-- Runs of cron entries, and what else the end of a job touches.

-- Reads what the end of a run will touch: to be called before the first write. `next` is the run to let go when `job` ends,
-- `gone` the ids before it whose records have vanished, `row` the last row of the ledger, if there is one.
local function run_look(job)
  if not job.cron then return nil end
  local look = { gone = {}, row = redis.call('LINDEX', key(LEDGER, job.cron), '-1') }
  local waiting = redis.call('LRANGE', key(WAIT, job.cron), 0, 31)
  local others = redis.call('ZCARD', key(LIVE, job.cron)) - redis.call('LLEN', key(WAIT, job.cron))
  if not job.waits then others = others - 1 end
  -- After a change of policy several may be running at once: the last of them lets the next one go.
  if others > 0 then return look end
  for _, id in ipairs(waiting) do
    if id ~= job.id then
      look.next = job_read(id)
      if look.next then
        redis.call('ZCARD', key(READY, look.next.queue))
        redis.call('LLEN', key(BELL, look.next.queue))
        return look
      end
      table.insert(look.gone, id)
    end
  end
  return look
end

-- Lets a run go that waited for its predecessor.
local function let_go(job)
  leave_line(job.cron, job.id)
  unset(job, 'waits')
  place(key(READY, job.queue), job.id, ready_score(job))
  ring(job.queue, 1)
end

-- A run ended: it is live no longer, the ledger keeps how it ended, and the next in line is let go.
-- `summary`: a short text about the result or the error, or ''.
local function run_ended(job, look, summary)
  if not look then return end
  local live = key(LIVE, job.cron)
  redis.call('ZREM', live, job.id)
  if look.row then
    look.row = ledger_add(key(LEDGER, job.cron), look.row, '\0e\0' .. job.state .. '\0j\0' .. job.id .. '\0b\0'
      .. (job.started or '') .. '\0f\0' .. NOW .. '\0n\0' .. job.attempt .. '\0o\0' .. summary)
  end
  for _, id in ipairs(look.gone) do
    leave_line(job.cron, id)
    redis.call('ZREM', live, id)
  end
  if look.next then let_go(look.next) end
end

-- What the end of a job touches beside itself: the entry it is a run of, and the workflow it is a step of (flow.lua).
local flows = {}

-- Reads what the end will touch, and decides on it. `outcome`: completed, failed or cancelled; nil when it is no end.
local function end_look(job, outcome, summary)
  if not job.cron and not job.flow then return nil end
  local look = { run = run_look(job) }
  if outcome and job.flow then look.flow = flows.look(job, outcome, summary) end
  return look
end

local function job_ended(job, look, summary)
  if not look then return end
  run_ended(job, look.run, summary)
  if look.flow then flows.ended(look.flow) end
end

-- Any live state → cancelled. The worker of an active run is nudged to ask at once.
local function cancel_job(job, look, by, reason)
  local before = job.state
  job.ended = NOW
  enter(job, 'cancelled', NOW)
  set(job, 'previous', before)
  if job.waits then unset(job, 'waits') end
  tell_of(job, 'job.cancelled', 'api', ',"state":"cancelled","previous_state":"' .. before
    .. '","cancelled_by":"' .. by .. '"' .. (reason ~= '' and ',"reason":' .. cjson.encode(reason) or '') .. '}')
  job_ended(job, look, reason)
  if before == 'active' and job.worker then redis.pcall('PUBLISH', ARGV[4] .. job.worker, job.id) end
end
