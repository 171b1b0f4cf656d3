#!lua flags=allow-oom
-- Lists attempts that take longer than they may, for their end to be decided.
--
-- KEYS  timeouts. ARGV 1 how many at most.
-- Post  what is no longer running is not listed again. Reply {now, {id, envelope, record}…}.

return function()
  local ids = redis.call('ZRANGE', key(TIMEOUTS), '-inf', NOW_MS, 'BYSCORE', 'LIMIT', 0, arg(1))
  local reply, gone = { NOW_MS }, {}
  for _, id in ipairs(ids) do
    local job = job_read(id)
    -- A later claim moves it to a later time, so this time is that of the attempt that runs.
    if job and job.state == 'active' and job.timeout then
      table.insert(reply, { id, redis.call('GET', key(ENV, id)) or '', job_text(job) })
    else
      table.insert(gone, id)
    end
  end
  for _, id in ipairs(gone) do redis.call('ZREM', key(TIMEOUTS), id) end
  return reply
end
