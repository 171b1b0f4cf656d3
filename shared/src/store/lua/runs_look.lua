#!lua flags=no-writes
-- Reads the records of jobs.
--
-- KEYS  per job: job. ARGV ids. Reply {record…} in their order; an empty one for a job that is gone.

return function()
  local reply = {}
  for i = 1, #ARGV - 4 do reply[i] = redis.call('GET', key(JOB, arg(i))) or '' end
  return reply
end
