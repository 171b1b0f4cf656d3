-- Jobs from one state to another: their places in a queue and in the index of each state.

-- Beyond it Lua cannot tell one place in a queue from the next.
local SEQ_MAX = 9007199254740991
local expected, seqs

-- Higher priority first, then time in: exact below 2^53 for 2^45 jobs a queue.
local function ready_score(job)
  return string.format('%d', (100 - (job.priority or 0)) * 35184372088832 + job.seq)
end

-- So many jobs of a queue are about to need their place in it.
local function expect(queue)
  expected[queue] = 1 + (expected[queue] or 0)
end

-- The next place in a queue. The counter is moved once for all that are expected; what is not taken of them is a gap.
local function next_seq(queue)
  local reserved = seqs[queue]
  if not reserved or reserved.next > reserved.last then
    local n = expected[queue] or 1
    local last = redis.call('HINCRBY', kept_key(QUEUE, queue), 'seq', text(n))
    if last == n then
      redis.pcall('SADD', key(QUEUES), queue)
      redis.pcall('HSETNX', key(QUEUE, queue), 'created', NOW)
    end
    reserved = { next = last - n + 1, last = last }
    seqs[queue], expected[queue] = reserved, nil
  end
  local seq = reserved.next
  reserved.next = seq + 1
  return string.format('%d', seq)
end

local function index_named(how)
  if how == 'scheduled' or how == 'retryable' then return key(DUE) end
  if how == 'pending' then return key(PARKED) end
  if how == 'active' then return key(LEASES) end
  return key(ENDED, how)
end

-- Where a job of this record stands in `state`. One index per state; a terminal job is in `ended:<how>`.
local indexes
local function index_of(job, state)
  if state == 'available' then
    if job.waits then return 'list', key(WAIT, job.cron) end
    return 'zset', kept_key(READY, job.queue)
  end
  local how = job.dead and 'dead' or state
  local index = indexes[how]
  if not index then
    index = index_named(how)
    indexes[how] = index
  end
  return 'zset', index
end

-- A queue counts its jobs; when it cannot any further it takes none.
local function check_queue(queue)
  local name = kept_key(QUEUE, queue)
  if sound[name] then return end
  if tonumber(redis.call('HGET', name, 'seq') or '0') >= SEQ_MAX then
    error({ err = 'ERR queue ' .. queue .. ' has given away all of its places' })
  end
  sound[name] = true
end

-- The keys that a transition of this job will touch beside the indexes of its states.
local function check_rest(job)
  if job.expires then check('ZCARD', key(EXPIRES)) end
  if job.timeout then check('ZCARD', key(TIMEOUTS)) end
  if job.dead then check('ZCARD', key(DEAD, job.queue)) end
  if job.limit then check('SCARD', key(RUNNING, job.limit)) end
  if job.cron then
    check('ZCARD', key(WAITING))
    check('ZCARD', key(LIVE, job.cron))
    check('LLEN', key(WAIT, job.cron))
    check('LLEN', key(LEDGER, job.cron))
  end
end

local function check_index(job, state)
  local kind, index = index_of(job, state)
  check(kind == 'list' and 'LLEN' or 'ZCARD', index)
end

-- The keys that the transition of this job to `state` will touch, unless it takes a place in a queue. Where nothing is noted
-- of a job, it is like the one before it.
local sound_queue, sound_from, sound_to
each_call(function() expected, seqs, indexes, sound_queue = {}, {}, {}, nil end)

local function check_move(job, state)
  local is_plain = not job.notes
  if is_plain and job.queue == sound_queue and job.state == sound_from and state == sound_to then return end
  check_index(job, job.state)
  check_index(job, state)
  check_rest(job)
  if is_plain then sound_queue, sound_from, sound_to = job.queue, job.state, state end
end

-- The keys that any transition of this job will touch.
local function check_indexes(job)
  check('ZCARD', kept_key(READY, job.queue))
  check('ZCARD', key(DUE))
  check('ZCARD', key(LEASES))
  check_queue(job.queue)
  check_rest(job)
end

-- Puts a run at the end of the line behind the live runs of its entry, and takes one out.
local function wait_in_line(cron, id)
  redis.call('RPUSH', key(WAIT, cron), id)
  place(key(WAITING), id, NOW)
end

local function leave_line(cron, id)
  redis.call('LREM', key(WAIT, cron), 1, id)
  place(key(WAITING), id)
end

-- Takes a job out of the index of its state, and out of the lists of times that concern it only there; the caller counts.
local function leave(job)
  local kind, index = index_of(job, job.state)
  if kind == 'list' then leave_line(job.cron, job.id) else place(index, job.id) end
  if not job.notes then return end
  if job.expires then place(key(EXPIRES), job.id) end
  if job.timeout then place(key(TIMEOUTS), job.id) end
  if job.limit and job.state == 'active' then redis.call('SREM', key(RUNNING, job.limit), job.id) end
  if job.dead then place(key(DEAD, job.queue), job.id) end
end

-- Moves a job to `state` with a score (a time in ms, as text); the caller tells the event.
local function enter(job, state, score)
  leave(job)
  count(job.queue, job.state, state)
  job.state = state
  change(job)
  local _, index = index_of(job, state)
  place(index, job.id, score)
  if job.expires and state == 'available' then place(key(EXPIRES), job.id, job.expires) end
end

-- scheduled, retryable, pending, active → available. `seq` nil: a new place at the end of its priority.
local function make_available(job, seq)
  job.seq, job.enqueued = seq or next_seq(job.queue), NOW
  enter(job, 'available', ready_score(job))
  ring(job.queue, 1)
end

local function tell_enqueued(job)
  tell_of(job, 'job.enqueued', 'api', ',"state":"available","attempt":' .. job.attempt .. ',"priority":'
    .. (job.priority or '0') .. '}')
end
