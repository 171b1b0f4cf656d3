-- The record of a job: read, told of, changed in place, written at the end of the call.
--
-- It is a text of lines. Those that every record has come first, each in its place (an empty line: nothing): what changes on
-- a job's way, then when and by whom it was asked for, then what its producer said of it, which whole queues have in common.
-- Whatever else there is to note has a line of its own, `name value`. One match reads it, and what the producer said is handed
-- on as it stands. record.rs is its counterpart.

-- The worker of a claim that did not say who asked.
local ANONYMOUS = 'anonymous'

local TERMINAL = { completed = true, cancelled = true, discarded = true }

-- state, attempt, lease, worker, held, place in the queue, enqueued, started, ended, origin (created, request), what was said.
local LINES = '^(%a+)\n(%d+)\n(%C*)\n(%C*)\n(%C*)\n(%d+)\n(%d+)\n(%C*)\n(%C*)\n(%d+\n%C*)\n(.*)$'

-- What was said of a job, read: queue, type, and notes if there are any. Most jobs that meet in a call have the same.
local sayings
local function saying(said)
  local known = sayings[said]
  if known == nil then
    local queue, kind, notes = string.match(said, '^(%C*)\n(%C*)\n(.*)$')
    known = queue and { queue = queue, type = kind, notes = notes ~= '' and notes } or false
    sayings[said] = known
  end
  return known
end

-- What is noted beside the lines that every record has, as fields of the job.
local function notes_read(job, notes)
  job.notes = {}
  for name, value in string.gmatch(notes, '(%S+) (%C*)\n') do
    job[name] = value
    table.insert(job.notes, name)
  end
end

-- The record as a table; nil when the text is none.
local function job_parse(id, name, record)
  local state, attempt, lease, worker, held, seq, enqueued, started, ended, origin, said = string.match(record, LINES)
  local known = said and saying(said)
  if not known then return nil end
  local job = {
    id = id, key = name, state = state, attempt = attempt, seq = seq, enqueued = enqueued, origin = origin, said = said,
    queue = known.queue, type = known.type, changed = false, text = false,
    lease = lease ~= '' and lease or nil, worker = worker ~= '' and worker or nil, held = held ~= '' and held or nil,
    started = started ~= '' and started or nil, ended = ended ~= '' and ended or nil,
  }
  if known.notes then notes_read(job, known.notes) end
  return job
end

-- When it came to be (ms), and who asked for it: seldom wanted.
local function created_of(job)
  return tonumber(string.match(job.origin, '^%d+'))
end

local function request_of(job)
  return string.match(job.origin, '\n(.*)$')
end

-- What was said, and is noted: as it was read, unless a note has changed.
local function said_by(job)
  if job.said then return job.said end
  local lines = { job.queue, job.type }
  for _, name in ipairs(job.notes) do
    if job[name] then lines[#lines + 1] = name .. ' ' .. job[name] end
  end
  job.said = table.concat(lines, '\n') .. '\n'
  return job.said
end

local function job_text(job)
  return job.state .. '\n' .. job.attempt .. '\n' .. (job.lease or '') .. '\n' .. (job.worker or '') .. '\n'
    .. (job.held or '') .. '\n' .. job.seq .. '\n' .. job.enqueued .. '\n' .. (job.started or '') .. '\n'
    .. (job.ended or '') .. '\n' .. job.origin .. '\n' .. (job.said or said_by(job))
end

-- Writes a job behind an answer, in as few items as may be, because each costs its reader more than its bytes: a word of the
-- script's own and, if there are any, how many errors and how many results of steps before it follow; in the lines behind, the
-- record; then the envelope, the errors, the results. job_item.rs is the counterpart.
local function job_to(answer, word, record, envelope, errors, parents)
  local n = #answer + 2
  if #errors + #parents > 0 then word = word .. ' ' .. #errors .. ' ' .. #parents end
  answer[n - 1], answer[n] = word .. '\n' .. record, envelope or ''
  for i, one in ipairs(errors) do answer[n + i] = one end
  n = n + #errors
  for i, one in ipairs(parents) do answer[n + i] = one end
end

-- Every record is read once a call, and is what this call has made of it; false: there is none.
local records

-- The record as a table, or nil when there is no such job.
local function job_read(id)
  local job = records[id]
  if job ~= nil then return job or nil end
  local name = key(JOB, id)
  local record = redis.call('GET', name)
  job = record and job_parse(id, name, record)
  records[id] = job or false
  return job or nil
end

-- The keys of this kind, of each id.
local function keys_of(kind, ids)
  local names, root = {}, ROOT .. kind
  for i, id in ipairs(ids) do names[i] = root .. id end
  return names
end

-- Reads at once the records that are about to be asked for; raises when a key holds no text. `names`: their keys, if they are
-- at hand.
local function jobs_read(ids, names)
  names = names or keys_of(JOB, ids)
  local from = 0
  each_part(names, function(...)
    for i, record in ipairs(redis.call('MGET', ...)) do
      local id = ids[from + i]
      if not record then
        job_read(id)
      elseif records[id] == nil then
        records[id] = job_parse(id, names[from + i], record) or false
      end
    end
    from = from + ARGS_MAX
  end)
end

-- A job that is about to be made. `k`: the place of its keys, record and envelope; `time` (ms): when it is due, if it is
-- scheduled; `said`: the lines of its producer; `request`: who asks.
local function job_new(k, id, state, time, env, said, request)
  local known = saying(said)
  local job = {
    id = id, key = KEYS[k], env_key = KEYS[k + 1], state = state, attempt = '0', seq = '', enqueued = NOW,
    origin = NOW .. '\n' .. request, said = said, queue = known.queue, type = known.type, changed = false,
    time = time, env = env, rate = '',
  }
  if known.notes then notes_read(job, known.notes) end
  return job
end

-- Tells an event of a job: its data begins as that of all events of jobs, and ends with `others`.
local function tell_of(job, kind, source, others)
  told[#told + 1] = kind .. '\n' .. source .. '\n' .. job.id .. '\n{"job_id":"' .. job.id .. '","job_type":"' .. job.type
    .. '","queue":"' .. job.queue .. '"' .. others
end

local changed
each_call(function() sayings, records, changed = {}, {}, {} end)

-- The record will be written. Lines that every record has are changed in place, notes by `set` and `unset`.
local function change(job)
  job.text = false
  if job.changed then return end
  job.changed = true
  changed[#changed + 1] = job
end

function write_records()
  local values = {}
  for i, job in ipairs(changed) do
    values[2 * i - 1], values[2 * i] = job.key, job.text or job_text(job)
    job.changed = false
  end
  changed = {}
  return values
end

local function set(job, ...)
  local words = { ... }
  job.notes = job.notes or {}
  for i = 1, #words, 2 do
    local name, is_noted = words[i], false
    for _, noted in ipairs(job.notes) do is_noted = is_noted or noted == name end
    if not is_noted then table.insert(job.notes, name) end
    local value = words[i + 1]
    job[name] = type(value) == 'number' and text(value) or value
  end
  job.said = nil
  change(job)
end

local function unset(job, ...)
  for _, name in ipairs({ ... }) do job[name] = nil end
  job.notes = job.notes or {}
  job.said = nil
  change(job)
end
