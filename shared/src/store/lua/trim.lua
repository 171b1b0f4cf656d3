#!lua flags=allow-oom
-- Forgets jobs that ended long enough ago, or that are too many.
--
-- KEYS  events, ended:<how>. ARGV 1 how, 2 kept for (ms), 3 kept at most, 4 how many to forget at most (1..100).
-- Pre   the job ended at least (2) ago, or (3) or more ended after it. Post no key of it is left.
-- Reply {now, forgotten}.

return function()
  local index = key(ENDED, arg(1))
  local ids = aged(index, tonumber(arg(2)), tonumber(arg(3)), tonumber(arg(4)))
  local jobs = {}
  jobs_read(ids)
  for i, id in ipairs(ids) do
    jobs[i] = job_read(id) or {}
    if jobs[i].dead then check('ZCARD', key(DEAD, jobs[i].queue)) end
  end
  redis.call('ZCARD', key(EXPIRES))
  redis.call('ZCARD', key(TIMEOUTS))
  for i, id in ipairs(ids) do
    redis.call('ZREM', index, id)
    if jobs[i].dead then redis.call('ZREM', key(DEAD, jobs[i].queue), id) end
    forget(id, jobs[i].unique)
  end
  return { NOW_MS, #ids }
end
