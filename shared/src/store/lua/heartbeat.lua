#!lua flags=allow-oom
-- Extends leases, and tells the worker which it has lost.
--
-- KEYS  leases. ARGV 1 lease (ms), or "" for as long as each was claimed for, 2 worker; then per job: id, lease, or "" for
--       a client that was told none: then it must have claimed as this worker, or as nobody in particular.
-- Pre   the job is active under this very lease. Post its deadline is now + lease (its own visibility timeout, if any).
-- Reply {now, code…} with code: ok | cancelled | lost (another holds it, or it has ended, or it is gone).

local reply = { NOW_MS }
redis.call('ZCARD', key(LEASES))
local held = {}
for i = 3, #ARGV - 4, 2 do
  local job = redis.call('HMGET', key(JOB, arg(i)), 'state', 'lease', 'visibility', 'held', 'worker')
  local mine = job[2] == arg(i + 1) or (arg(i + 1) == '' and (job[5] == arg(2) or job[5] == ANONYMOUS))
  local ms = tonumber(job[3] or nil) or tonumber(arg(1)) or tonumber(job[4] or nil)
  table.insert(held, { id = arg(i), active = mine and job[1] == 'active', cancelled = mine and job[1] == 'cancelled', ms = ms })
end
for _, lease in ipairs(held) do
  if lease.active then redis.call('ZADD', key(LEASES), 'XX', NOW_MS + lease.ms, lease.id) end
  table.insert(reply, lease.active and 'ok' or lease.cancelled and 'cancelled' or 'lost')
end
return reply
