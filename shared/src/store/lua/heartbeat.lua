#!lua flags=allow-oom
-- Extends leases, and tells the worker which it has lost.
--
-- KEYS  events, leases. ARGV 1 lease (ms), or "" for as long as each was claimed for, 2 worker, 3 how far apart the events of
--       one attempt are at least (ms); then per job: id, lease, or "" for a client that was told none: then it must have
--       claimed as this worker, or as nobody in particular.
-- Pre   the job is active under this very lease. Post its deadline is now + lease: for a client without lease what it asks
--       for, else what the job was claimed for; for one with a lease the job's own visibility timeout comes first. The first
--       extension of an attempt is told, and then one in so many ms.
-- Reply {now, code…} with code: ok | cancelled | lost (another holds it, or it has ended, or it is gone).

return function()
  local reply = { NOW_MS }
  redis.call('ZCARD', key(LEASES))
  redis.call('XLEN', key(EVENTS))
  local asked, told_apart = tonumber(arg(1)), tonumber(arg(3))

  -- For how long the lease is extended.
  local function extension(job, lease)
    local own = lease ~= '' and tonumber(job.visibility)
    return own or asked or tonumber(job.held)
  end

  local function extend(job, lease)
    -- An active job is in `leases`: that is where it gets to, so this adds none.
    local deadline = NOW_MS + extension(job, lease)
    place(key(LEASES), job.id, text(deadline))
    local told = tonumber(job.told or '0')
    if told >= tonumber(job.started or '0') and NOW_MS - told < told_apart then return end
    set(job, 'told', NOW)
    tell_of(job, 'job.heartbeat', 'workers', ',"state":"active","worker_id":'
      .. cjson.encode(job.worker or ANONYMOUS) .. ',"attempt":' .. job.attempt .. ',"visible_until":"' .. rfc3339(deadline) .. '"}')
  end

  local ids = {}
  for i = 4, #ARGV - 4, 2 do ids[#ids + 1] = arg(i) end
  jobs_read(ids)
  for i, id in ipairs(ids) do
    local job, lease = job_read(id), arg(3 + 2 * i)
    local mine = job and (job.lease == lease or lease == '' and (job.worker == arg(2) or job.worker == ANONYMOUS))
    if mine and job.state == 'active' then
      extend(job, lease)
      reply[#reply + 1] = 'ok'
    else
      reply[#reply + 1] = mine and job.state == 'cancelled' and 'cancelled' or 'lost'
    end
  end
  return reply
end
