#!lua flags=allow-oom
-- Ends attempts, each as its holder says, or as whoever asks for an answer does.
--
-- KEYS  events, leases, due, ended:completed, ended:discarded, ended:dead, done:<request> if answers are wanted, then per item:
--       job, out if there is a result, errors if it did not complete; env, out and errors if an answer is wanted.
-- ARGV  1 errors kept, and if answers are wanted a colon and who asks; then per item 7: id, lease, outcome, delay (ms), result
--       or error (JSON), summary (text), event data of the error (JSON); and if answers are wanted 3 more: whose right it is
--       (`held`: of the lease; `presented`: of what the caller says of itself), worker or "", attempt or "".
--       Outcomes: completed; retryable (after the delay); discarded; dead (discarded, kept among the dead letters);
--       returned (given back: no attempt burned; after the delay, or at once when it is 0).
-- Pre   the job is active under this very lease; under any, if it is presented without one. A worker that is presented is the
--       holder, unless the holder did not say who it was; an attempt that is presented is the present one.
-- Post  it is in the index of its new state; result or error kept; the run of an entry is closed; its minute counts it;
--       events told. `done:<request>` names for a while what was ended without a lease, which cannot tell by itself that the
--       same request is sent again.
-- Reply {now, code…} with code: ok | done (this end was reported before) | stale (the lease is another's, or the job was
--       taken back; the worker or the attempt is another's) | cancelled (it was cancelled under this lease) | gone (no such
--       job) | conflict (it is not active, and the lease that is presented, if any, is not its last). If answers are wanted
--       each is a list: code, state, and of ok and done what the job is now: envelope, record as field, value, … joined by NUL,
--       of which the first of a name counts, result, errors, results of the steps before.

local DONE_KEPT_MS = 30000
local errors_kept, request = string.match(arg(1), '^(%d+):?(.*)$')
local wants_answers = request ~= ''

local before, ended, presented = '', {}

-- Made only when they are needed, because making a function costs as much as calling it.
if wants_answers then
  local function refusal(job, item)
    local is_mine = item.lease ~= '' and item.lease == job.lease
    if item.right == 'held' then return nil end
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

  local function shown(code, job, out, errors, changed)
    local parents = {}
    for parent in string.gmatch(job.parents or '', '[^,]+') do
      table.insert(parents, look('GET', key(OUT, parent)) or 'null')
    end
    local record = changed .. table.concat(job.flat, '\0')
    return { code, job.state, look('GET', key(ENV, job.id)) or '', record, out, errors, parents }
  end

  local function shown_as_it_is(code, id)
    local job = job_read(id)
    if not job then return { 'gone' } end
    return shown(code, job, look('GET', key(OUT, id)) or '', look('LRANGE', key(ERRORS, id), 0, -1) or {}, '')
  end

  -- What a job became that has just completed is known. Its first attempt has left nothing before.
  local function shown_completed(job, item)
    local is_first = string.sub(job.lease, 1, 2) == '1-'
    local out = (is_first or item.json ~= '') and item.json or look('GET', key(OUT, job.id)) or ''
    local errors = is_first and {} or look('LRANGE', key(ERRORS, job.id), 0, -1) or {}
    job.state = 'completed'
    return shown('ok', job, out, errors, 'state\0completed\0ended\0' .. NOW .. '\0failed\0\0')
  end

  before = redis.call('GET', key(DONE, request)) or ''
  local touched = {}

  function presented(item)
    -- Two may present the same attempt.
    local job = item.job
    if touched[item.id] then job = job_read(item.id) end
    if not job then return { 'gone' } end
    touched[item.id] = true
    -- Another end of it by this very request.
    if string.find(before, item.id, 1, true) then return shown_as_it_is('ok', item.id) end
    local code = refusal(job, item)
    if code then return { code, job.state } end
    local by_lease = item.lease ~= ''
    if not by_lease then item.lease = job.lease end
    item.job = job
    code = end_attempt(item)
    if code == 'ok' and not by_lease then table.insert(ended, item.id) end
    if code == 'ok' and item.outcome == 'completed' then return shown_completed(job, item) end
    if code == 'ok' or code == 'done' then return shown_as_it_is(code, item.id) end
    return { code, job.state }
  end
end

redis.call('XLEN', key(EVENTS))
local items = {}
for i = 2, #ARGV - 4, wants_answers and 10 or 7 do
  local item = {
    id = arg(i), lease = arg(i + 1), outcome = arg(i + 2), delay_ms = tonumber(arg(i + 3)), json = arg(i + 4),
    summary = arg(i + 5), error = arg(i + 6), errors_kept = tonumber(errors_kept),
  }
  if wants_answers then
    item.right, item.worker, item.attempt = arg(i + 7), arg(i + 8), arg(i + 9)
    -- Callers that do not know each other share this call: what is wrong with the job of one stops it before it has begun.
    item.job = job_read(item.id)
    if item.job and item.outcome == 'completed' then check_move(item.job, 'completed')
    elseif item.job then check_indexes(item.job) end
  end
  items[#items + 1] = item
end

local reply = { NOW_MS }
for _, item in ipairs(items) do
  reply[#reply + 1] = wants_answers and presented(item) or end_attempt(item)
end
count_minutes()
if #ended > 0 then redis.call('SET', key(DONE, request), before .. table.concat(ended, ',') .. ',', 'PX', DONE_KEPT_MS) end
return reply
