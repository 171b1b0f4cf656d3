#!lua flags=allow-oom
-- Keeps what is said of the progress of a job. KEYS events, progress, job. ARGV 1 id, 2 progress (JSON), 3 percent, 4 message
-- (JSON string) or "". Pre the job has not ended. Reply {"ok", now} | {"conflict", now, state} | {"gone", now}.

return function()
  local job = job_read(arg(1))
  if not job then return { 'gone', NOW_MS } end
  if TERMINAL[job.state] then return { 'conflict', NOW_MS, job.state } end
  redis.call('GET', key(PROGRESS, job.id))
  redis.call('SET', key(PROGRESS, job.id), arg(2))
  tell_of(job, 'job.progress', 'workers', ',"worker_id":' .. cjson.encode(job.worker or ANONYMOUS)
    .. ',"attempt":' .. job.attempt .. ',"progress_percent":' .. arg(3)
    .. (arg(4) ~= '' and ',"progress_message":' .. arg(4) or '') .. '}')
  return { 'ok', NOW_MS }
end
