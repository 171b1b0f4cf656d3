#!lua flags=allow-oom
-- Cancels a job in any live state. A running handler is told through its worker.
--
-- KEYS  events, ended:cancelled, job. ARGV 1 id, 2 by whom, 3 reason (text), 4 who asks: the same request is
--       answered the same.
-- Pre   the job is live. Post it is cancelled; its lease ends nothing any more.
-- Reply {"ok", now, state before} | {"conflict", now, state} | {"gone", now}.

return function()
  local job = job_read(arg(1))
  if not job then return { 'gone', NOW_MS } end
  if job.asked == arg(4) then return { 'ok', NOW_MS, job.previous } end
  if TERMINAL[job.state] then return { 'conflict', NOW_MS, job.state } end
  check_indexes(job)
  redis.call('ZCARD', key(ENDED, 'cancelled'))
  redis.call('ZCARD', key(PARKED))
  local look = end_look(job, 'cancelled', arg(3))
  local before = job.state
  set(job, 'asked', arg(4))
  cancel_job(job, look, arg(2), arg(3))
  return { 'ok', NOW_MS, before }
end
