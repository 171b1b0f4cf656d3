-- The record of a job: read, told of, changed in place, written at the end of the call.
--
-- It is a text of lines. Those that every record has come first, each in its place: what changes on a job's way, then what its
-- producer said of it (an empty line: nothing). Whatever else there is to note has a line of its own, `name value`. One match
-- reads it, and what the producer said is handed on as it stands. record.rs is its counterpart.

-- The worker of a claim that did not say who asked.
local ANONYMOUS = 'anonymous'

local TERMINAL = { completed = true, cancelled = true, discarded = true }

-- queue, type, request, notes.
local SAID = '(%C*)\n(%C*)\n(%C*)\n(.*)$'
-- state, attempt, lease, worker, held, place in the queue, created, enqueued, started, ended, then what was said.
local LINES = '^(%a+)\n(%d+)\n(%C*)\n(%C*)\n(%C*)\n(%d+)\n(%d+)\n(%d+)\n(%C*)\n(%C*)\n((%C*)\n(%C*)\n(%C*)\n(.*))$'

-- What is noted beside the lines that every record has, as fields of the job.
local function notes_read(job, notes)
  if notes == '' then return end
  job.notes = {}
  for name, value in string.gmatch(notes, '(%S+) (%C*)\n') do
    job[name] = value
    table.insert(job.notes, name)
  end
end

-- The record as a table; nil when the text is none.
local function job_parse(id, name, record)
  local state, attempt, lease, worker, held, seq, created, enqueued, started, ended, said, queue, kind, request, notes =
    string.match(record, LINES)
  if not state then return nil end
  local job = {
    id = id, key = name, state = state, attempt = attempt, seq = seq, created = created, enqueued = enqueued, said = said,
    queue = queue, type = kind, request = request, changed = false,
    lease = lease ~= '' and lease or nil, worker = worker ~= '' and worker or nil, held = held ~= '' and held or nil,
    started = started ~= '' and started or nil, ended = ended ~= '' and ended or nil,
  }
  notes_read(job, notes)
  return job
end

-- What was said, and is noted: as it was read, unless a note has changed.
local function said_by(job)
  if job.said then return job.said end
  local lines = { job.queue, job.type, job.request }
  for _, name in ipairs(job.notes) do
    if job[name] then lines[#lines + 1] = name .. ' ' .. job[name] end
  end
  job.said = table.concat(lines, '\n') .. '\n'
  return job.said
end

local function job_text(job)
  return job.state .. '\n' .. job.attempt .. '\n' .. (job.lease or '') .. '\n' .. (job.worker or '') .. '\n'
    .. (job.held or '') .. '\n' .. job.seq .. '\n' .. job.created .. '\n' .. job.enqueued .. '\n' .. (job.started or '') .. '\n'
    .. (job.ended or '') .. '\n' .. said_by(job)
end

-- Every record is read once a call, and is what this call has made of it; false: there is none.
local records = {}

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

-- Reads at once the records that are about to be asked for; raises when a key holds no text.
local function jobs_read(ids)
  local names = {}
  for i, id in ipairs(ids) do names[i] = key(JOB, id) end
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

-- A job that is about to be made. `said`: the lines of its producer; `time` (ms): when it is due, if it is scheduled.
local function job_new(id, state, time, env, said)
  local queue, kind, request, notes = string.match(said, SAID)
  local job = {
    id = id, key = key(JOB, id), state = state, attempt = '0', seq = '', created = NOW, enqueued = NOW, said = said,
    queue = queue, type = kind, request = request, changed = false, time = time, env = env, rate = '',
  }
  notes_read(job, notes)
  return job
end

-- The fields with which every event of a job begins, and others behind them.
local function job_data(job, others)
  return '{"job_id":"' .. job.id .. '","job_type":"' .. job.type .. '","queue":"' .. job.queue .. '"' .. others
end

local changed = {}

-- The record will be written. Lines that every record has are changed in place, notes by `set` and `unset`.
local function change(job)
  job.text = nil
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
