-- The record of a job, as it is written: a text of lines in four parts, a tab between them; an empty line is nothing.
--   life    state, attempt, lease, worker, held (ms), started, ended: what changes on its way. Jobs that are claimed by one call
--           have it in common, and those that one call completes.
--   place   place in its queue, enqueued
--   origin  created, request
--   said    queue, type, and whatever else there is to note, a line each, `name value`. Whole queues have in common what their
--           producer said.
-- What jobs of a call have in common is read once; what does not change is handed on as it stands. job_lines.rs is the
-- counterpart.

local LIFE = '^(%a+)\n(%d+)\n(%C*)\n(%C*)\n(%C*)\n(%C*)\n(%C*)$'
-- What is behind the life: place in its queue, enqueued, origin, and where what was said begins; and what of that is wanted when
-- all of it goes on as it is.
local REST = '^(%d+)\n(%d+)\t(%d+\n%C*)\t()'
local REST_READ = '^%d+\n(%d+)\t%d+\n%C*\t()'

-- What changes on the way of a job, read; an empty line is nil. One table for all jobs of a call that have it in common.
local lives
local function life_read(life)
  local known = lives[life]
  if known == nil then
    local state, attempt, lease, worker, held, started, ended = string.match(life, LIFE)
    known = state and {
      state = state, attempt = attempt, lease = lease ~= '' and lease or nil, worker = worker ~= '' and worker or nil,
      held = held ~= '' and held or nil, started = started ~= '' and started or nil, ended = ended ~= '' and ended or nil,
    } or false
    lives[life] = known
  end
  return known
end

local function life_text(of)
  return of.state .. '\n' .. of.attempt .. '\n' .. (of.lease or '') .. '\n' .. (of.worker or '') .. '\n' .. (of.held or '')
    .. '\n' .. (of.started or '') .. '\n' .. (of.ended or '')
end

-- What is noted: name, value.
local NOTE = '(%S+) (%C*)\n'
-- Notes by which nothing is decided between the queue and the end of an attempt that completes.
local IDLE = { priority = true, max = true, unique = true, due = true, delay = true, returns = true, crashes = true }

local function are_idle(notes)
  for name in string.gmatch(notes, NOTE) do
    if not IDLE[name] then return false end
  end
  return true
end

-- What was said of a job, read: queue, type, notes if there are any, how its events say it, and whether jobs of which this is
-- said go the usual way (usual.lua). One table for all jobs of a call of which it is said.
local sayings
local function saying(said)
  local known = sayings[said]
  if known == nil then
    local queue, kind, notes = string.match(said, '^(%C*)\n(%C*)\n(.*)$')
    known = queue and {
      queue = queue, type = kind, notes = notes ~= '' and notes, is_usual = are_idle(notes),
      about = '","job_type":"' .. kind .. '","queue":"' .. queue .. '"',
    } or false
    sayings[said] = known
  end
  return known
end

-- What is noted beside the lines that every record has, as fields of the job.
local function notes_read(job, notes)
  job.notes = {}
  for name, value in string.gmatch(notes, NOTE) do
    job[name] = value
    table.insert(job.notes, name)
  end
end

-- Of a record that goes on as it is but for its life: that, all that is behind it, and of that what was said and when it was
-- enqueued; nil when the text is none.
local function parts_of(record)
  local tab = string.find(record, '\t', 1, true)
  if not tab then return nil end
  local enqueued, said_from = string.match(record, REST_READ, tab + 1)
  if not enqueued then return nil end
  return string.sub(record, 1, tab - 1), string.sub(record, tab + 1), string.sub(record, said_from), enqueued
end

-- The record as a table; nil when the text is none.
local function job_parse(id, name, record)
  local tab = string.find(record, '\t', 1, true)
  if not tab then return nil end
  local seq, enqueued, origin, said_from = string.match(record, REST, tab + 1)
  local is, said = life_read(string.sub(record, 1, tab - 1)), seq and string.sub(record, said_from)
  local known = said and saying(said)
  if not is or not known then return nil end
  local job = {
    id = id, key = name, state = is.state, attempt = is.attempt, seq = seq, enqueued = enqueued, origin = origin, said = said,
    queue = known.queue, type = known.type, about = known.about, changed = false, text = false,
    lease = is.lease, worker = is.worker, held = is.held, started = is.started, ended = is.ended,
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

-- The life of a job that was never handed out.
local READY_LIFE = life_text({ state = 'available', attempt = '0' })

local function job_text(job)
  local is_ready = job.state == 'available' and job.attempt == '0' and not job.lease and not job.started and not job.ended
  return (is_ready and READY_LIFE or life_text(job)) .. '\t' .. job.seq .. '\n' .. job.enqueued .. '\t' .. job.origin .. '\t'
    .. (job.said or said_by(job))
end

each_call(function() lives, sayings = {}, {} end)
