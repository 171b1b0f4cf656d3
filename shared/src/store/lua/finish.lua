#!lua flags=allow-oom
-- Ends attempts, each as its holder says, or as whoever asks for an answer does.
--
-- KEYS  events, leases, due, ended:completed, ended:discarded, ended:dead, done:<request> if answers are wanted, then per item:
--       job, out if there is a result, errors if it did not complete; env, out and errors if an answer is wanted.
-- ARGV  1 errors kept, and if answers are wanted a colon and who asks; then per item: id, lease, outcome; unless that is ""
--       delay (ms), result or error (JSON), summary (text), event data of the error (JSON); and if answers are wanted whose
--       right it is: "" of the lease, or `presented`, of what the caller says of itself, and then worker or "", attempt or "".
--       Outcomes: "" (completed, and nothing is kept of it); completed; retryable (after the delay); discarded; dead
--       (discarded, kept among the dead letters); returned (given back: no attempt burned; after the delay, or at once when
--       it is 0).
-- Pre   the job is active under this very lease; under any, if it is presented without one. A worker that is presented is the
--       holder, unless the holder did not say who it was; an attempt that is presented is the present one.
-- Post  it is in the index of its new state; result or error kept; the run of an entry is closed; its minute counts it;
--       events told. `done:<request>` names for a while what was ended without a lease, which cannot tell by itself that the
--       same request is sent again.
-- Reply {now, code…} with code: ok | done (this end was reported before) | stale (the lease is another's, or the job was
--       taken back; the worker or the attempt is another's) | cancelled (it was cancelled under this lease) | gone (no such
--       job) | conflict (it is not active, and the lease that is presented, if any, is not its last). If answers are wanted
--       each is, of ok and done, what the job is now, by its code (job_to), and its result; of others the code and, in a line
--       behind, the state of the job if it is there.

local DONE_KEPT_MS = 30000
-- What is answered; what this request has ended without a lease before, and now.
local reply, before, ended

local function refusal(job, item)
  if item.right == '' then return nil end
  local is_mine = item.lease ~= '' and item.lease == job.lease
  if job.state ~= 'active' and not is_mine then return 'conflict' end
  if item.lease ~= '' and not is_mine then return 'stale' end
  if item.worker ~= '' and (job.worker or ANONYMOUS) ~= ANONYMOUS and item.worker ~= job.worker then return 'stale' end
  if item.attempt ~= '' and item.attempt ~= job.attempt then return 'stale' end
end

-- What is shown is read when others of this call may have been ended already, so nothing of it may raise.
local function look(...)
  local found = redis.pcall(...)
  return not (type(found) == 'table' and found.err) and found or nil
end

local function answer(item)
  reply[#reply + 1] = item
end

local function show(code, job, record, item, out, errors)
  local parents = NONE
  if job.parents then
    parents = {}
    for parent in string.gmatch(job.parents, '[^,]+') do table.insert(parents, look('GET', key(OUT, parent)) or 'null') end
  end
  job_to(reply, code, record, item.envelope, errors, parents)
  answer(out)
end

local function errors_of(item)
  return look('LRANGE', key(ERRORS, item.id), 0, -1) or NONE
end

local function show_as_it_is(code, item)
  local job = job_read(item.id)
  if not job then return answer('gone') end
  job.text = job_text(job)
  show(code, job, job.text, item, look('GET', key(OUT, job.id)) or '', errors_of(item))
end

-- What a job became that has just completed is known. Its first attempt has left nothing before.
local function show_completed(job, record, item)
  local is_first = string.sub(job.lease, 1, 2) == '1-'
  local out = (is_first or item.json ~= '') and item.json or look('GET', key(OUT, item.id)) or ''
  show('ok', job, record, item, out, is_first and NONE or errors_of(item))
end

-- Whether it ended in the usual way. Nothing was done where it did not: another end of it may have come before, in this call or
-- by this very request, or whoever presents itself has no right to it.
local function presented_usually(item)
  if not item.life or records[item.id] ~= item.record or string.find(before, item.id, 1, true) then return false end
  if refusal(item.life, item) or item.lease ~= '' and item.lease ~= item.life.lease then return false end
  local record = usual_complete(item)
  if item.lease == '' then ended[#ended + 1] = item.id end
  show_completed(item.life, record, item)
  return true
end

local function presented(item)
  if presented_usually(item) then return end
  local job = job_read(item.id)
  if not job then return answer('gone') end
  -- Another end of it by this very request.
  if string.find(before, item.id, 1, true) then return show_as_it_is('ok', item) end
  local code = refusal(job, item)
  if code then return answer(code .. '\n' .. job.state) end
  local by_lease = item.lease ~= ''
  if not by_lease then item.lease = job.lease end
  code = end_attempt(item)
  if code == 'ok' and not by_lease then table.insert(ended, item.id) end
  if code == 'ok' and item.outcome == 'completed' then
    job.text = job_text(job)
    return show_completed(job, job.text, item)
  end
  if code == 'ok' or code == 'done' then return show_as_it_is(code, item) end
  answer(code .. '\n' .. job.state)
end

-- By its lease, and without more of an answer than a code.
local function reported(item)
  if not usual_active(item) or item.lease ~= item.life.lease then return end_attempt(item) end
  usual_check()
  usual_complete(item)
  return 'ok'
end

return function()
  local errors_kept, request = string.match(arg(1), '^(%d+):?(.*)$')
  errors_kept = tonumber(errors_kept)
  local wants_answers = request ~= ''

  local items, ids = {}, {}
  reply, before, ended = { NOW_MS }, wants_answers and redis.call('GET', key(DONE, request)) or '', {}

  redis.call('XLEN', key(EVENTS))
  local KEYS, ARGV, names, k, i, n = KEYS, ARGV, {}, wants_answers and 9 or 8, 6, 0
  while ARGV[i] do
    local item = { id = ARGV[i], lease = ARGV[i + 1], outcome = ARGV[i + 2], json = '', summary = '' }
    n, i = n + 1, i + 3
    item.key = KEYS[k]
    ids[n], items[n], names[n] = item.id, item, item.key
    if item.outcome == '' then
      item.outcome = 'completed'
      k = k + (wants_answers and 4 or 1)
    else
      k = k + (wants_answers and 4 or 2)
      item.delay_ms, item.json, item.summary, item.error = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
      item.errors_kept = errors_kept
      i = i + 4
    end
    if wants_answers then
      item.right = ARGV[i]
      i = i + 1
      if item.right ~= '' then
        item.worker, item.attempt = ARGV[i], ARGV[i + 1]
        i = i + 2
      end
    end
  end
  jobs_read(ids, names)
  if wants_answers then
    local envelopes = redis.call('MGET', unpack(keys_of(ENV, ids)))
    -- Callers that do not know each other share this call: what is wrong with the job of one stops it before it has begun.
    for place, item in ipairs(items) do
      item.envelope = envelopes[place]
      local job = not usual_active(item) and job_read(item.id)
      if item.life then usual_check()
      elseif job and item.outcome == 'completed' then check_move(job, 'completed')
      elseif job then check_indexes(job) end
    end
  end

  for _, item in ipairs(items) do
    if wants_answers then presented(item) else reply[#reply + 1] = reported(item) end
  end
  count_minutes()
  if #ended > 0 then redis.call('SET', key(DONE, request), before .. table.concat(ended, ',') .. ',', 'PX', DONE_KEPT_MS) end
  return reply
end
