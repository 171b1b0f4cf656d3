#!lua
-- Makes a pending job available. KEYS events, parked, job. ARGV 1 id, 2 who asks: the same
-- request is answered the same.
-- Pre it is pending. Reply {"ok", now} | {"conflict", now, state} | {"gone", now}.

return function()
  local job = job_read(arg(1))
  if not job then return { 'gone', NOW_MS } end
  if job.asked == arg(2) then return { 'ok', NOW_MS } end
  -- A step that waits for others is let go by them.
  if job.state ~= 'pending' or job.flow then return { 'conflict', NOW_MS, job.state } end
  check_indexes(job)
  redis.call('ZCARD', key(PARKED))
  set(job, 'activated', NOW_MS, 'previous', 'pending', 'asked', arg(2))
  make_available(job)
  tell_enqueued(job)
  return { 'ok', NOW_MS }
end
