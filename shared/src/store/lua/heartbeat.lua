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

local reply = { NOW_MS }
redis.call('ZCARD', key(LEASES))
redis.call('XLEN', key(EVENTS))
local held = {}
for i = 4, #ARGV - 4, 2 do
  local job = redis.call('HMGET', key(JOB, arg(i)), 'state', 'lease', 'visibility', 'held', 'worker', 'type', 'queue',
    'attempt', 'started', 'told')
  local mine = job[2] == arg(i + 1) or (arg(i + 1) == '' and (job[5] == arg(2) or job[5] == ANONYMOUS))
  local own, asked = tonumber(job[3] or nil), tonumber(arg(1))
  local ms = (arg(i + 1) ~= '' and own or asked) or asked or tonumber(job[4] or nil)
  local told = tonumber(job[10] or nil) or 0
  local silent = told < tonumber(job[9] or '0') or NOW_MS - told >= tonumber(arg(3))
  table.insert(held, {
    id = arg(i), active = mine and job[1] == 'active', cancelled = mine and job[1] == 'cancelled', ms = ms, silent = silent,
    worker = job[5] or ANONYMOUS, type = job[6], queue = job[7], attempt = job[8],
  })
end

local function extend(lease)
  -- An active job is in `leases`: that is where it gets to, so this adds none.
  place(key(LEASES), lease.id, text(NOW_MS + lease.ms))
  if not lease.silent then return end
  redis.call('HSET', key(JOB, lease.id), 'told', NOW)
  tell('job.heartbeat', 'workers', lease.id, job_data(lease) .. ',"state":"active","worker_id":' .. cjson.encode(lease.worker)
    .. ',"attempt":' .. lease.attempt .. ',"visible_until":"' .. rfc3339(NOW_MS + lease.ms) .. '"}')
end

for _, lease in ipairs(held) do
  if lease.active then extend(lease) end
  table.insert(reply, lease.active and 'ok' or lease.cancelled and 'cancelled' or 'lost')
end
return reply
