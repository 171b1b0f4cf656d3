#!lua flags=allow-oom
-- Forgets a dead letter for good. KEYS events, ended:dead, job, done:<request>. ARGV 1 id, 2 who asks: the same request is
-- answered the same, for a minute. Pre it is among the dead letters. Post no key of it is left. Reply {"ok", now} | {"gone", now}.

return function()
  local DONE_KEPT_MS = 60000
  local job = job_read(arg(1))
  if redis.call('EXISTS', key(DONE, arg(2))) == 1 then return { 'ok', NOW_MS } end
  if not job or not job.dead then return { 'gone', NOW_MS } end
  check_indexes(job)
  redis.call('ZCARD', key(EXPIRES))
  redis.call('ZCARD', key(TIMEOUTS))
  redis.call('ZCARD', key(ENDED, 'dead'))
  leave(job)
  count(job.queue, job.state)
  forget(job.id, job.unique)
  redis.call('SET', key(DONE, arg(2)), '1', 'PX', DONE_KEPT_MS)
  tell_of(job, 'dead_letter.deleted', 'api', '}')
  return { 'ok', NOW_MS }
end
