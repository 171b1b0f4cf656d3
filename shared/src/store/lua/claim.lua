#!lua flags=allow-oom
-- Hands out jobs to workers that ask for the same queues: at most as many as they ask for, over the queues in the order given,
-- to the workers in the order given. Also when memory is full: what was taken in goes on, or nothing would ever become less.
--
-- KEYS  events, due, leases, timeouts, claim:<request>, ended:discarded, quiet, then per queue (each once): ready, queue, bell,
--       rate. Limits that jobs share by a key: limit, running.
-- ARGV  1 request nonce, 2 lease (ms), 3 capable of replay for (ms), 4 how long after its time limit an attempt is left to its
--       worker (ms), 5 `1` to hand out only what this request was given before, 6 how many workers, then each with how many
--       jobs it wants (at least 1; of all 1..100), then the queues.
-- Pre   whoever is `quiet` is given nothing but what this request was given before. Phase 1: a job is due; phase 2: it is
--       available, in `ready`, and has not expired; its queue is not paused, and neither its concurrency limit nor its rate
--       limit (starts in any window of so many ms) is reached, nor one that the job shares with others by a key: such a job is
--       passed over, and stays where it is.
-- Post  1 due jobs (at most 100, of any queue) are available. 2 the jobs are active: attempt + 1, a lease that nobody had,
--       in `leases` until its deadline; `claim:<request>` names them. The phases read before they write, each for itself.
-- Reply {"ok", now, who of those who ask is quiet, each with until when (ms), then the jobs, each by its id (job_to)}; the same
--       jobs again when the same request is sent again.

local reply

-- What is handed out beside the record, if there is anything: read before the first write.
local function extras(job)
  local errors, parents = {}, {}
  for parent in string.gmatch(job.parents or '', '[^,]+') do
    table.insert(parents, redis.call('GET', key(OUT, parent)) or 'null')
  end
  -- A job that was never claimed has no errors; one that was revived counts its attempts anew.
  if job.lease then errors = redis.call('LRANGE', key(ERRORS, job.id), 0, -1) end
  return { errors, parents }
end

local function envelopes_of(jobs)
  local names, root = {}, ROOT .. ENV
  for i, job in ipairs(jobs) do names[i] = root .. job.id end
  return #names > 0 and redis.call('MGET', unpack(names)) or names
end

local function hand_out(job, envelope, extra)
  job_to(reply, job.id, job.text or job_text(job), envelope, extra and extra[1] or NONE, extra and extra[2] or NONE)
end

-- How many jobs of a queue may start now, and the window of its rate limit, if it has one.
local function startable(queue, wanted)
  local limits = redis.call('HMGET', key(QUEUE, queue), 'paused', 'concurrency', 'active', 'rate')
  if limits[1] then return 0 end
  local free = wanted
  if limits[2] then free = math.min(free, tonumber(limits[2]) - tonumber(limits[3] or '0')) end
  local starts, window_ms = string.match(limits[4] or '', '^(%d+):(%d+)$')
  if not starts then return free end
  local lately = redis.call('ZCOUNT', key(RATE, queue), '(' .. (NOW_MS - tonumber(window_ms)), '+inf')
  return math.min(free, tonumber(starts) - lately), tonumber(window_ms)
end

-- Whether a job may start under the limit that it shares with all jobs of its key.
local shared
local function admitted(job)
  local more = shared[job.limit] or 0
  local starts, window_ms = string.match(job.lrate or '', '^(%d+):(%d+)$')
  if starts then
    job.window_ms = tonumber(window_ms)
    local lately = redis.call('ZCOUNT', key(LIMIT, job.limit), '(' .. (NOW_MS - job.window_ms), '+inf')
    if lately + more >= tonumber(starts) then return false end
  end
  if job.lmost and redis.call('SCARD', key(RUNNING, job.limit)) + more >= tonumber(job.lmost) then return false end
  shared[job.limit] = more + 1
  return true
end

-- One more has started under the limit of a key.
local function limited(job, number)
  redis.call('SADD', key(RUNNING, job.limit), job.id)
  if not job.window_ms then return end
  redis.call('ZREMRANGEBYSCORE', key(LIMIT, job.limit), '-inf', NOW_MS - job.window_ms)
  redis.call('ZADD', key(LIMIT, job.limit), NOW_MS, job.id .. ':' .. number)
  redis.call('PEXPIRE', key(LIMIT, job.limit), job.window_ms)
end

-- Those who ask and are handed nothing, each with until when. No order is given to the name that those share who do not say who
-- they are, but one of them may say that it winds up.
local function quiet_among(queues_from)
  if redis.call('EXISTS', key(QUIET)) == 0 then return NONE end
  local quiet = {}
  for i = 7, queues_from - 1, 2 do
    local worker = arg(i)
    local till = not quiet[worker] and worker ~= ANONYMOUS and redis.call('ZSCORE', key(QUIET), worker)
    if till and tonumber(till) > NOW_MS then
      quiet[worker] = till
      reply[3] = reply[3] .. worker .. ' ' .. till .. ' '
    end
  end
  return quiet
end

-- What all jobs have in common that are handed out to a worker: its name and, when they are handed out for the first time, their
-- life, deadline, and the end of their event.
local askers
local function asker_of(worker, request, lease_ms)
  if askers[worker] then return askers[worker] end
  local others = ',"state":"active","worker_id":"' .. worker .. '","attempt":'
  local life = life_text({
    state = 'active', attempt = '1', lease = '1-' .. request, worker = worker, held = lease_ms, started = NOW,
  })
  askers[worker] = {
    worker = worker, life = life, deadline = text(NOW_MS + tonumber(lease_ms)), others = others, first = others .. '1}',
  }
  return askers[worker]
end

-- Hands any job out.
local function start(job, asker, request, lease_ms, window_ms)
  local number = job.lease and text(1 + (tonumber(string.match(job.lease, '^%d+')) or 0)) or '1'
  job.lease, job.worker, job.started, job.held = number .. '-' .. request, asker.worker, NOW, job.visibility or lease_ms
  job.attempt = text(1 + tonumber(job.attempt))
  enter(job, 'active', text(NOW_MS + tonumber(job.held)))
  if job.timeout then place(key(TIMEOUTS), job.id, text(NOW_MS + tonumber(job.timeout) + tonumber(arg(4)))) end
  if window_ms then
    redis.call('ZREMRANGEBYSCORE', key(RATE, job.queue), '-inf', NOW_MS - window_ms)
    -- By the lease, because an attempt that is given back does not count, but has started.
    redis.call('ZADD', key(RATE, job.queue), NOW_MS, job.id .. ':' .. number)
    redis.call('PEXPIRE', key(RATE, job.queue), window_ms)
  end
  if job.limit then limited(job, number) end
  tell_of(job, 'job.started', 'workers', asker.others .. job.attempt .. '}')
  job.text = job_text(job)
end

return function()
  reply, shared, askers = { 'ok', NOW_MS, '' }, {}, {}
  local request, lease_ms, queues_from = arg(1), arg(2), 7 + 2 * tonumber(arg(6))

  local replay = redis.call('GET', key(CLAIM, request))
  if replay or arg(5) == '1' then
    for id in string.gmatch(replay or '', '%S+') do
      local job = job_read(id)
      -- A lease says by which request it was given.
      if job and job.state == 'active' and string.sub(job.lease, -1 - #request) == '-' .. request then
        hand_out(job, envelopes_of({ job })[1], extras(job))
      end
    end
    return reply
  end

  local quiet, wanted = quiet_among(queues_from), 0
  for i = 7, queues_from - 1, 2 do
    if not quiet[arg(i)] then wanted = wanted + tonumber(arg(i + 1)) end
  end
  if wanted == 0 then return reply end

  if promote_due(100) > 0 then settle() end

  -- `taken`: what is picked, by its id, and the way it goes; a job may stand in a queue that is not its own.
  local picked, taken, expired, misplaced, windows = {}, {}, {}, {}, {}
  for i = queues_from, #ARGV - 4 do
    local queue = arg(i)
    local from = 0
    local startable_n, window_ms = startable(queue, wanted)
    windows[queue] = window_ms
    local most = math.min(wanted, #picked + startable_n)
    while #picked < most and from < 100 do
      local ids = redis.call('ZRANGE', key(READY, queue), from, from + most - #picked - 1)
      if #ids == 0 then break end
      from = from + #ids
      local names = keys_of(JOB, ids)
      jobs_read(ids, names)
      for k, id in ipairs(ids) do
        local usual = not window_ms and usual_ready(id, names[k], queue)
        local job = usual or job_read(id, names[k])
        if not job or taken[id] or job.state ~= 'available' then
          table.insert(misplaced, { queue, id })
        elseif job.expires and tonumber(job.expires) <= NOW_MS then
          table.insert(expired, id)
        elseif not job.limit or admitted(job) then
          if job.parents or job.lease then job.extra = extras(job) end
          picked[#picked + 1], taken[id] = job, usual and 'usual' or 'general'
          if job.queue ~= queue then table.insert(misplaced, { queue, id }) end
        end
      end
    end
  end
  check('ZCARD', kept_key(LEASES, ''))
  if #expired > 0 then check('ZCARD', kept_key(ENDED, 'discarded')) end
  for _, job in ipairs(picked) do
    if job.timeout then check('ZCARD', key(TIMEOUTS)) end
    if job.expires then check('ZCARD', key(EXPIRES)) end
  end

  for _, found in ipairs(misplaced) do place(key(READY, found[1]), found[2]) end
  for _, id in ipairs(expired) do expire_if_due(id) end

  local replayable, envelopes = {}, envelopes_of(picked)
  local place_of_asker, asker, room = 5, nil, 0
  for i, job in ipairs(picked) do
    while room == 0 do
      place_of_asker = place_of_asker + 2
      local worker = arg(place_of_asker)
      if not quiet[worker] then asker, room = asker_of(worker, request, lease_ms), tonumber(arg(place_of_asker + 1)) end
    end
    room = room - 1
    replayable[i] = job.id
    if taken[job.id] == 'usual' then
      job.text = usual_start(job, asker.life, asker.deadline, asker.first)
    else
      start(job, asker, request, lease_ms, windows[job.queue])
    end
    hand_out(job, envelopes[i], job.extra)
  end
  if #picked > 0 then
    redis.call('SET', key(CLAIM, request), table.concat(replayable, ' '), 'PX', arg(3))
  end
  return reply
end
