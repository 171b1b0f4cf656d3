#!lua flags=allow-oom
-- Forgets a dead letter for good. KEYS events, ended:dead, job. ARGV 1 id.
-- Pre it is among the dead letters. Post no key of it is left. Reply {"ok", now} | {"gone", now}.

local job = job_read(arg(1))
if not job or not job.dead then return { 'gone', NOW_MS } end
check_indexes(job)
redis.call('ZCARD', key(ENDED, 'dead'))
leave(job)
forget(job.id, job.unique)
tell('dead_letter.deleted', 'api', job.id, job_data(job) .. '}')
return { 'ok', NOW_MS }
