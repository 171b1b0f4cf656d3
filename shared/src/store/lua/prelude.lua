-- What every script of a partition begins with. The names of keys (JOB, READY, …) stand above, written by script.rs from
-- keys.rs. Arguments common to all: ARGV[1] root of the partition, ARGV[2] channel of events, ARGV[3] events kept and rows
-- of each ledger kept (joined by a colon), ARGV[4] prefix of the workers' channels; a script's own arguments are arg(1), arg(2), …
--
-- Rules: read and check all, then write; after the first write nothing may raise, so indexes are read before they are
-- written (which also checks their type) and counters are written with pcall. User JSON is an opaque string.

local ROOT, CHANNEL, NUDGE = ARGV[1], ARGV[2], ARGV[4]
local EVENTS_KEPT, ROWS_KEPT = string.match(ARGV[3], '^(%d+):(%d+)$')
-- A channel of the partition's own is one of its shard of a cluster.
local IS_SHARD = string.sub(CHANNEL, 1, #ROOT) == ROOT
local BELLS_MAX = 64
local TOKENS = {}
for i = 1, BELLS_MAX do TOKENS[i] = '1' end
-- Beyond it Lua cannot tell one place in a queue from the next.
local SEQ_MAX = 9007199254740991
-- The worker of a claim that did not say who asked.
local ANONYMOUS = 'anonymous'

local function arg(i)
  return ARGV[4 + i]
end

local function key(kind, name)
  return ROOT .. kind .. (name or '')
end

local NOW_MS = now_ms()
-- The same as text: Redis writes the numbers that it is handed with 17 digits, slowly.
local function text(number)
  return string.format('%d', number)
end
local NOW = text(NOW_MS)
local EVENT_STREAM = key(EVENTS)

-- Days since 1970-01-01 to a civil date (proleptic Gregorian), by eras of 400 years.
local function rfc3339(ms, always_ms)
  local days = math.floor(ms / 86400000)
  local rest = ms - days * 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local s = math.floor(rest / 1000)
  local fraction = rest % 1000
  local text = string.format('%04d-%02d-%02dT%02d:%02d:%02d', year, month, day,
    math.floor(s / 3600), math.floor(s / 60) % 60, s % 60)
  return text .. ((fraction > 0 or always_ms) and string.format('.%03dZ', fraction) or 'Z')
end

-- The id of the event that the stream knows as `<ms>-<seq>`: the same for whoever renders it.
local function event_id(ms, seq)
  local time = string.format('%012x', tonumber(ms))
  local hash = redis.sha1hex(ROOT .. ms .. '-' .. seq)
  return string.format('evt_%s-%s-7%03x-%x%s-%s', time:sub(1, 8), time:sub(9, 12), tonumber(seq) % 4096,
    8 + tonumber(hash:sub(1, 1), 16) % 4, hash:sub(2, 4), hash:sub(5, 16))
end

-- Whether anybody may be listening to the channel: asked once, when there is the first thing to tell. Those who listen to a
-- replica, or to an ordinary channel on another node of a cluster, cannot be counted from here. Where it may not be asked,
-- somebody may be listening.
local heard
local function is_heard()
  if heard == nil then
    local here = redis.pcall('PUBSUB', IS_SHARD and 'SHARDNUMSUB' or 'NUMSUB', CHANNEL)[2]
    local by_pattern = not IS_SHARD and redis.pcall('PUBSUB', 'NUMPAT') or 0
    heard = here ~= 0 or by_pattern ~= 0
    if not heard then
      local info = redis.pcall('INFO', 'replication', 'cluster')
      heard = type(info) ~= 'string' or not (string.find(info, 'connected_slaves:0', 1, true)
        and (IS_SHARD or string.find(info, 'cluster_enabled:0', 1, true)))
    end
  end
  return heard
end

-- Tells what happened: `data` is the JSON object of the event, built from names and numbers only (they need no escaping)
-- and from JSON that Rust passed. event.rs renders the same text from the stream.
local function tell(kind, source, subject, data)
  local id = redis.pcall('XADD', EVENT_STREAM, 'MAXLEN', '~', EVENTS_KEPT, '*', 't', kind, 'o', source, 's', subject, 'd', data)
  if type(id) ~= 'string' or not is_heard() then return end
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local time = rfc3339(tonumber(ms))
  redis.pcall(IS_SHARD and 'SPUBLISH' or 'PUBLISH', CHANNEL, '{"specversion":"1.0","id":"' .. event_id(ms, seq) .. '","type":"' .. kind .. '","event":"' .. kind
    .. '","source":"ojs://carillon/' .. source .. '","time":"' .. time .. '","timestamp":"' .. time
    .. '","subject":"' .. subject .. '","data":' .. data .. '}')
end

-- ── written once ────────────────────────────────────────────────────────────────────────────────────────────────────

-- What one call changes for many jobs is written once, at its end or before it is read again: places in indexes, counters,
-- rings. script.rs ends every script with `settle`.
local places, counts, rings, expected, seqs = {}, {}, {}, {}, {}
-- Arguments in one call: Lua's stack holds 8,000.
local ARGS_MAX = 2000

-- Gives a job its place in a sorted set; without a score it loses it. The last word counts.
local function place(index, id, score)
  local of = places[index] or {}
  places[index] = of
  of[id] = score or false
end

local function send(command, index, args)
  for from = 1, #args, ARGS_MAX do
    redis.call(command, index, unpack(args, from, math.min(from + ARGS_MAX - 1, #args)))
  end
end

-- How many jobs of a queue are in a state.
local function count(queue, state, delta)
  local of = counts[queue] or {}
  counts[queue] = of
  of[state] = (of[state] or 0) + delta
end

local function ring(queue, times)
  rings[queue] = (rings[queue] or 0) + times
end

local function settle_places()
  for index, of in pairs(places) do
    local gone, come = {}, {}
    for id, score in pairs(of) do
      if score then
        come[#come + 1] = score
        come[#come + 1] = id
      else
        gone[#gone + 1] = id
      end
    end
    send('ZREM', index, gone)
    send('ZADD', index, come)
  end
  places = {}
end

local function settle()
  settle_places()
  for queue, of in pairs(counts) do
    for state, delta in pairs(of) do
      if delta ~= 0 then redis.pcall('HINCRBY', key(QUEUE, queue), state, text(delta)) end
    end
  end
  for queue, times in pairs(rings) do
    local bell = key(BELL, queue)
    local free = math.min(BELLS_MAX - redis.call('LLEN', bell), times)
    if free > 0 then redis.pcall('RPUSH', bell, unpack(TOKENS, 1, free)) end
  end
  counts, rings = {}, {}
end

-- Raises now, before the first write, if a key is not what it should be. What was sound once is sound.
local sound = {}
local function check(command, name)
  if sound[name] then return end
  redis.call(command, name)
  sound[name] = true
end

-- ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- The record as a table, or nil when there is no such job.
local function job_read(id)
  local flat = redis.call('HGETALL', key(JOB, id))
  if #flat == 0 then return nil end
  local job = { id = id, flat = flat }
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  return job
end

-- The fields with which every event of a job begins.
local function job_data(job)
  return '{"job_id":"' .. job.id .. '","job_type":"' .. job.type .. '","queue":"' .. job.queue .. '"'
end

-- Higher priority first, then time in: exact below 2^53 for 2^45 jobs a queue.
local function ready_score(job)
  return text((100 - tonumber(job.priority or '0')) * 35184372088832 + tonumber(job.seq))
end

-- Every key of a job but its place in an index.
local function forget(id, fingerprint)
  if fingerprint and redis.call('GET', key(UNIQUE, fingerprint)) == id then redis.call('DEL', key(UNIQUE, fingerprint)) end
  redis.call('ZREM', key(EXPIRES), id)
  redis.call('ZREM', key(TIMEOUTS), id)
  redis.call('DEL', key(JOB, id), key(ENV, id), key(OUT, id), key(ERRORS, id), key(PROGRESS, id))
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
    local last = redis.call('HINCRBY', key(QUEUE, queue), 'seq', text(n))
    if last == n then
      redis.pcall('SADD', key(QUEUES), queue)
      redis.pcall('HSETNX', key(QUEUE, queue), 'created', NOW)
    end
    reserved = { next = last - n + 1, last = last }
    seqs[queue], expected[queue] = reserved, nil
  end
  local seq = reserved.next
  reserved.next = seq + 1
  return text(seq)
end

-- Where a job of this record stands. One index per state; a terminal job is in `ended:<how>`.
local function index_of(job)
  if job.state == 'available' then
    if job.waits then return 'list', key(WAIT, job.cron) end
    return 'zset', key(READY, job.queue)
  elseif job.state == 'scheduled' or job.state == 'retryable' then
    return 'zset', key(DUE)
  elseif job.state == 'pending' then
    return 'zset', key(PARKED)
  elseif job.state == 'active' then
    return 'zset', key(LEASES)
  end
  return 'zset', key(ENDED, job.dead and 'dead' or job.state)
end

local TERMINAL = { completed = true, cancelled = true, discarded = true }

-- A queue counts its jobs; when it cannot any further it takes none.
local function check_queue(queue)
  local name = key(QUEUE, queue)
  if sound[name] then return end
  if tonumber(redis.call('HGET', name, 'seq') or '0') >= SEQ_MAX then
    error({ err = 'ERR queue ' .. queue .. ' has given away all of its places' })
  end
  sound[name] = true
end

-- The keys that a transition of this job will touch.
local function check_indexes(job)
  check('ZCARD', key(READY, job.queue))
  check('ZCARD', key(DUE))
  check('ZCARD', key(LEASES))
  check('ZCARD', key(EXPIRES))
  check('ZCARD', key(TIMEOUTS))
  check_queue(job.queue)
  check('LLEN', key(BELL, job.queue))
  if job.dead then check('ZCARD', key(DEAD, job.queue)) end
  if job.limit then check('SCARD', key(RUNNING, job.limit)) end
  if job.cron then
    check('ZCARD', key(WAITING))
    check('ZCARD', key(LIVE, job.cron))
    check('LLEN', key(WAIT, job.cron))
    check('XLEN', key(LEDGER, job.cron))
  end
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

-- Takes a job out of the index of its state, and out of the lists of times that concern it only there.
local function leave(job)
  if job.expires then place(key(EXPIRES), job.id) end
  if job.timeout then place(key(TIMEOUTS), job.id) end
  if job.limit and job.state == 'active' then redis.call('SREM', key(RUNNING, job.limit), job.id) end
  if job.dead then count(job.queue, 'dead', -1) end
  local kind, index = index_of(job)
  if kind == 'list' then leave_line(job.cron, job.id) else place(index, job.id) end
  if job.dead then place(key(DEAD, job.queue), job.id) end
  count(job.queue, job.state, -1)
end

-- Moves a job to `state` with a score (a time in ms, as text), and sets further fields; the caller tells the event.
local function enter(job, state, score, ...)
  leave(job)
  job.state = state
  redis.call('HSET', key(JOB, job.id), 'state', state, ...)
  local _, index = index_of(job)
  place(index, job.id, score)
  if job.expires and state == 'available' then place(key(EXPIRES), job.id, job.expires) end
  count(job.queue, state, 1)
end

local function set(job, ...)
  local fields = { ... }
  for i = 1, #fields, 2 do job[fields[i]] = tostring(fields[i + 1]) end
  redis.call('HSET', key(JOB, job.id), ...)
end

local function unset(job, ...)
  for _, field in ipairs({ ... }) do job[field] = nil end
  redis.call('HDEL', key(JOB, job.id), ...)
end

-- scheduled, retryable, pending, active → available. `seq` nil: a new place at the end of its priority.
local function make_available(job, seq)
  job.seq = seq or next_seq(job.queue)
  enter(job, 'available', ready_score(job), 'seq', job.seq, 'enqueued', NOW)
  ring(job.queue, 1)
end

local function tell_enqueued(job)
  tell('job.enqueued', 'api', job.id, job_data(job) .. ',"state":"available","attempt":' .. job.attempt
    .. ',"priority":' .. (job.priority or '0') .. '}')
end

-- ── runs of cron entries ────────────────────────────────────────────────────────────────────────────────────────────

-- Reads what the end of a run will touch: to be called before the first write. `next` is the run to let go when `job` ends,
-- `gone` the ids before it whose records have vanished.
local function run_look(job)
  if not job.cron then return nil end
  local look = { gone = {}, ledger = redis.call('XLEN', key(LEDGER, job.cron)) > 0 }
  local waiting = redis.call('LRANGE', key(WAIT, job.cron), 0, 31)
  local others = redis.call('ZCARD', key(LIVE, job.cron)) - redis.call('LLEN', key(WAIT, job.cron))
  if not job.waits then others = others - 1 end
  -- After a change of policy several may be running at once: the last of them lets the next one go.
  if others > 0 then return look end
  for _, id in ipairs(waiting) do
    if id ~= job.id then
      look.next = job_read(id)
      if look.next then
        redis.call('ZCARD', key(READY, look.next.queue))
        redis.call('LLEN', key(BELL, look.next.queue))
        return look
      end
      table.insert(look.gone, id)
    end
  end
  return look
end

-- Lets a run go that waited for its predecessor.
local function let_go(job)
  leave_line(job.cron, job.id)
  redis.call('HDEL', key(JOB, job.id), 'waits')
  place(key(READY, job.queue), job.id, ready_score(job))
  ring(job.queue, 1)
end

-- A run ended: it is live no longer, the ledger keeps how it ended, and the next in line is let go.
-- `summary`: a short text about the result or the error, or ''.
local function run_ended(job, look, summary)
  if not look then return end
  local live = key(LIVE, job.cron)
  redis.call('ZREM', live, job.id)
  if look.ledger then
    redis.pcall('XADD', key(LEDGER, job.cron), 'MAXLEN', '~', ROWS_KEPT, '*', 'e', job.state, 'j', job.id, 'b',
      job.started or '', 'f', NOW, 'n', job.attempt, 'o', summary)
  end
  for _, id in ipairs(look.gone) do
    leave_line(job.cron, id)
    redis.call('ZREM', live, id)
  end
  if look.next then let_go(look.next) end
end

-- What the end of a job touches beside itself: the entry it is a run of, and the workflow it is a step of. Scripts that end
-- jobs come with flow.lua, which fills these in.
local flow_hooks = {}

-- Reads what the end will touch, and decides on it. `outcome`: completed, failed or cancelled; nil when it is no end.
local function end_look(job, outcome, summary)
  local look = { run = run_look(job) }
  if outcome and flow_hooks.look then look.flow = flow_hooks.look(job, outcome, summary) end
  return look
end

local function job_ended(job, look, summary)
  if not look then return end
  run_ended(job, look.run, summary)
  if look.flow then flow_hooks.ended(look.flow) end
end

-- Any live state → cancelled. The worker of an active run is nudged to ask at once.
local function cancel_job(job, look, by, reason)
  local before = job.state
  enter(job, 'cancelled', NOW, 'ended', NOW, 'previous', before)
  if job.waits then unset(job, 'waits') end
  tell('job.cancelled', 'api', job.id, job_data(job) .. ',"state":"cancelled","previous_state":"' .. before
    .. '","cancelled_by":"' .. by .. '"' .. (reason ~= '' and ',"reason":' .. cjson.encode(reason) or '') .. '}')
  job_ended(job, look, reason)
  if before == 'active' and job.worker then redis.pcall('PUBLISH', NUDGE .. job.worker, job.id) end
end
