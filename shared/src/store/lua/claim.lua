#!lua
-- Hands out jobs: at most as many as asked for, over the queues in the order given.
--
-- KEYS  events, due, leases, timeouts, claim:<request>, ended:discarded, then per queue: ready, queue, bell, rate.
-- ARGV  1 request nonce, 2 worker, 3 how many (1..100), 4 lease (ms), 5 capable of replay for (ms), 6 how long after its time
--       limit an attempt is left to its worker (ms), then the queues.
-- Pre   phase 1: a job is due; phase 2: it is available, in `ready`, and has not expired; its queue is not paused, and
--       neither its concurrency limit nor its rate limit (starts in any window of so many ms) is reached.
-- Post  1 due jobs (at most 100, of any queue) are available. 2 the jobs are active: attempt + 1, a lease that nobody had,
--       in `leases` until its deadline; `claim:<request>` names them. The phases read before they write, each for itself.
-- Reply {"ok", now, {id, envelope, {field, value, …}, errors, results of the steps before}…}; the same jobs again when the same request is sent again.

local worker, wanted, lease_ms = arg(2), tonumber(arg(3)), tonumber(arg(4))

-- What is handed out beside the record: read before the first write.
local function extras(id)
  local parents = {}
  for parent in string.gmatch(redis.call('HGET', key(JOB, id), 'parents') or '', '[^,]+') do
    table.insert(parents, redis.call('GET', key(OUT, parent)) or 'null')
  end
  return { redis.call('GET', key(ENV, id)) or '', redis.call('LRANGE', key(ERRORS, id), 0, -1), parents }
end

local function handed(id, extra)
  return { id, extra[1], redis.call('HGETALL', key(JOB, id)), extra[2], extra[3] }
end

local replay = redis.call('LRANGE', key(CLAIM, arg(1)), 0, -1)
if #replay > 0 then
  local reply = { 'ok', NOW_MS }
  for i = 1, #replay, 2 do
    local state = redis.call('HMGET', key(JOB, replay[i]), 'state', 'lease')
    if state[1] == 'active' and state[2] == replay[i + 1] then table.insert(reply, handed(replay[i], extras(replay[i]))) end
  end
  return reply
end

promote_due(100)

-- How many jobs of a queue may start now, and the window of its rate limit, if it has one.
local function startable(queue)
  local limits = redis.call('HMGET', key(QUEUE, queue), 'paused', 'concurrency', 'active', 'rate')
  if limits[1] then return 0 end
  local free = wanted
  if limits[2] then free = math.min(free, tonumber(limits[2]) - tonumber(limits[3] or '0')) end
  local starts, window_ms = string.match(limits[4] or '', '^(%d+):(%d+)$')
  if not starts then return free end
  local lately = redis.call('ZCOUNT', key(RATE, queue), '(' .. (NOW_MS - tonumber(window_ms)), '+inf')
  return math.min(free, tonumber(starts) - lately), tonumber(window_ms)
end

local picked, expired, vanished, windows = {}, {}, {}, {}
for i = 7, #ARGV - 4 do
  local queue = arg(i)
  local from = 0
  local startable_n, window_ms = startable(queue)
  windows[queue] = window_ms
  local most = math.min(wanted, #picked + startable_n)
  while #picked < most and from < 100 do
    local ids = redis.call('ZRANGE', key(READY, queue), from, from + most - #picked - 1)
    if #ids == 0 then break end
    from = from + #ids
    for _, id in ipairs(ids) do
      local job = job_read(id)
      if not job or job.state ~= 'available' then
        table.insert(vanished, { queue, id })
      elseif job.expires and tonumber(job.expires) <= NOW_MS then
        table.insert(expired, id)
      else
        job.extra = extras(id)
        table.insert(picked, job)
      end
    end
  end
end
redis.call('ZCARD', key(LEASES))
redis.call('ZCARD', key(TIMEOUTS))
redis.call('ZCARD', key(EXPIRES))
redis.call('ZCARD', key(ENDED, 'discarded'))

for _, orphan in ipairs(vanished) do redis.call('ZREM', key(READY, orphan[1]), orphan[2]) end
for _, id in ipairs(expired) do expire_if_due(id) end

local reply = { 'ok', NOW_MS }
for _, job in ipairs(picked) do
  local number = 1 + (tonumber(string.match(job.lease or '', '^%d+')) or 0)
  local lease = number .. '-' .. arg(1)
  local attempt = 1 + tonumber(job.attempt)
  local window_ms = windows[job.queue]
  set(job, 'lease', lease, 'attempt', attempt, 'worker', worker, 'started', NOW_MS, 'held', job.visibility or lease_ms)
  enter(job, 'active', NOW_MS + tonumber(job.held))
  if job.timeout then redis.call('ZADD', key(TIMEOUTS), NOW_MS + tonumber(job.timeout) + tonumber(arg(6)), job.id) end
  if window_ms then
    redis.call('ZREMRANGEBYSCORE', key(RATE, job.queue), '-inf', NOW_MS - window_ms)
    redis.call('ZADD', key(RATE, job.queue), NOW_MS, job.id .. attempt)
    redis.call('PEXPIRE', key(RATE, job.queue), window_ms)
  end
  redis.call('RPUSH', key(CLAIM, arg(1)), job.id, lease)
  tell('job.started', 'workers', job.id, job_data(job) .. ',"state":"active","worker_id":"' .. worker
    .. '","attempt":' .. attempt .. '}')
  table.insert(reply, handed(job.id, job.extra))
end
if #picked > 0 then redis.call('PEXPIRE', key(CLAIM, arg(1)), arg(5)) end
return reply
