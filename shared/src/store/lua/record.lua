-- The record of a job in a call: read, told of, changed in place, written at its end. lines.lua is how it is written.

-- The worker of a claim that did not say who asked.
local ANONYMOUS = 'anonymous'

local TERMINAL = { completed = true, cancelled = true, discarded = true }

-- Writes a job behind an answer, in as few items as may be, because each costs its reader more than its bytes: a word of the
-- script's own and, if there are any, how many errors and how many results of steps before it follow; in the lines behind, the
-- record; then the envelope, the errors, the results. job_item.rs is the counterpart.
local function job_to(answer, word, record, envelope, errors, parents)
  local n = #answer + 2
  local is_more = #errors + #parents > 0
  if is_more then word = word .. ' ' .. #errors .. ' ' .. #parents end
  answer[n - 1], answer[n] = word .. '\n' .. record, envelope or ''
  if not is_more then return end
  for i, one in ipairs(errors) do answer[n + i] = one end
  n = n + #errors
  for i, one in ipairs(parents) do answer[n + i] = one end
end

-- Every record is read once a call, and is what this call has made of it: a text until somebody asks for more; false: there is
-- none.
local records

-- The record as a table, or nil when there is no such job. `name`: its key, if it is at hand.
local function job_read(id, name)
  local job = records[id]
  if type(job) == 'table' then return job end
  if job == false then return nil end
  name = name or key(JOB, id)
  local record = job or redis.call('GET', name)
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
        records[id] = record
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
    origin = NOW .. '\n' .. request, said = said, queue = known.queue, type = known.type, about = known.about,
    changed = false, time = time, env = env, rate = '',
  }
  if known.notes then notes_read(job, known.notes) end
  return job
end

-- Tells an event of a job, of which `id` and `about` are known: its data begins as that of all events of jobs, and ends with
-- `others`.
local function tell_of(job, kind, source, others)
  tell_lines(kind .. '\n' .. source .. '\n' .. job.id .. '\n{"job_id":"' .. job.id .. job.about .. others)
end

-- Keys and texts that will be written, and jobs whose texts will be made then.
local rewritten, changed
each_call(function() records, rewritten, changed = {}, {}, {} end)

-- This record will be written. Only while it is a text in this call: a table of it would be written over this.
local function rewrite(id, name, record)
  local n = #rewritten
  rewritten[n + 1], rewritten[n + 2] = name, record
  records[id] = record
end

-- The record will be written. Lines that every record has are changed in place, notes by `set` and `unset`.
local function change(job)
  job.text = false
  if job.changed then return end
  job.changed = true
  changed[#changed + 1] = job
end

function write_records()
  local values = rewritten
  local n = #values
  for i, job in ipairs(changed) do
    values[n + 2 * i - 1], values[n + 2 * i] = job.key, job.text or job_text(job)
    job.changed = false
  end
  rewritten, changed = {}, {}
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
