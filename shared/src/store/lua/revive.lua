#!lua
-- Makes a dead letter available again, as if it had never been tried; its errors are kept.
--
-- KEYS  events, ended:dead, expires, job. ARGV 1 id, 2 whether runs of its entry may be concurrent (1) or it must wait for
--       those that are live (0), 3 who asks: the same request is answered the same.
-- Pre   it is among the dead letters. Post available, attempt 0; it holds its fingerprint again if nobody else does, and
--       expires when it said, unless that time has passed.
-- Reply {"ok", now} | {"gone", now} (no such dead letter).

return function()
  local job = job_read(arg(1))
  local behind = false
  if job and job.asked == arg(3) then return { 'ok', NOW_MS } end
  if not job or not job.dead then return { 'gone', NOW_MS } end
  check_indexes(job)
  redis.call('ZCARD', key(ENDED, 'dead'))
  if job.cron and arg(2) == '0' then
    for _, id in ipairs(redis.call('ZRANGE', key(LIVE, job.cron), 0, 99)) do
      local run = job_read(id)
      behind = run and not TERMINAL[run.state]
      if behind then break end
    end
  end
  if job.unique then redis.call('SET', key(UNIQUE, job.unique), job.id, 'NX') end
  leave(job)
  count(job.queue, job.state, 'available')
  job.ended, job.started = nil, nil
  unset(job, 'dead', 'failed', 'delay', 'due', 'crashes', 'returns', 'expired', 'previous')
  -- Whoever revives a job wants it to run: a time that has passed does not count.
  if job.expires and tonumber(job.expires) <= NOW_MS then unset(job, 'expires') end
  if job.expires then place(key(EXPIRES), job.id, job.expires) end
  job.state, job.attempt, job.seq, job.enqueued = 'available', '0', next_seq(job.queue), NOW
  set(job, 'asked', arg(3))
  if behind then
    set(job, 'waits', '1')
    wait_in_line(job.cron, job.id)
  else
    place(key(READY, job.queue), job.id, ready_score(job))
    ring(job.queue, 1)
  end
  if job.cron then redis.call('ZADD', key(LIVE, job.cron), NOW_MS, job.id) end
  tell_of(job, 'dead_letter.retried', 'api', '}')
  tell_enqueued(job)
  return { 'ok', NOW_MS }
end
