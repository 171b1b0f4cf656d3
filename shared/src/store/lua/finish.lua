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
--       each is a list: code, state, and of ok and done what the job is now: envelope, record, result, errors, results of
--       the steps before.

local DONE_KEPT_MS = 30000
local errors_kept, request = string.match(arg(1), '^(%d+):?(.*)$')
errors_kept = tonumber(errors_kept)
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

  local function shown(code, job, out, errors)
    local parents = {}
    for parent in string.gmatch(job.parents or '', '[^,]+') do
      table.insert(parents, look('GET', key(OUT, parent)) or 'null')
    end
    return { code, job.state, look('GET', key(ENV, job.id)) or '', job_text(job), out, errors, parents }
  end

  local function shown_as_it_is(code, id)
    local job = job_read(id)
    if not job then return { 'gone' } end
    return shown(code, job, look('GET', key(OUT, id)) or '', look('LRANGE', key(ERRORS, id), 0, -1) or {})
  end

  -- What a job became that has just completed is known. Its first attempt has left nothing before.
  local function shown_completed(job, item)
    local is_first = string.sub(job.lease, 1, 2) == '1-'
    local out = (is_first or item.json ~= '') and item.json or look('GET', key(OUT, job.id)) or ''
    local errors = is_first and {} or look('LRANGE', key(ERRORS, job.id), 0, -1) or {}
    return shown('ok', job, out, errors)
  end

  before = redis.call('GET', key(DONE, request)) or ''

  function presented(item)
    local job = item.job
    if not job then return { 'gone' } end
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
local items, ids = {}, {}
local width = wants_answers and 10 or 7
for i = 6, #ARGV, width do
  local id, lease, outcome, delay_ms, json, summary, error, right, worker, attempt = unpack(ARGV, i, i + width - 1)
  local n = #items + 1
  ids[n], items[n] = id, {
    id = id, lease = lease, outcome = outcome, delay_ms = tonumber(delay_ms), json = json, summary = summary, error = error,
    errors_kept = errors_kept, right = right, worker = worker, attempt = attempt,
  }
end
jobs_read(ids)
if wants_answers then
  -- Callers that do not know each other share this call: what is wrong with the job of one stops it before it has begun.
  for _, item in ipairs(items) do
    item.job = job_read(item.id)
    if item.job and item.outcome == 'completed' then check_move(item.job, 'completed')
    elseif item.job then check_indexes(item.job) end
  end
end

local reply = { NOW_MS }
for _, item in ipairs(items) do
  reply[#reply + 1] = wants_answers and presented(item) or end_attempt(item)
end
count_minutes()
if #ended > 0 then redis.call('SET', key(DONE, request), before .. table.concat(ended, ',') .. ',', 'PX', DONE_KEPT_MS) end
return reply
