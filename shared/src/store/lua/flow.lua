-- Workflows, advanced by the script that ends a step. Shared by whatever ends jobs.
--
-- A workflow is a tree in one hash. Its leaves are steps with a job each, its inner nodes are workflows within it, and `r` is
-- the root. Of the whole: `state`, `name`, `created`, `ended`, `steps` (members of the root), and `bad`, `badtype`, `badwhy`
-- (the step that failed first). Per node i: `s:i` its state (waiting, enqueued, completed, failed, cancelled), `n:i` its name,
-- `u:i` the node it stands in (none: the root), `d:i` how many others it still waits for, `o:i` those that wait for it (joined
-- by commas), `c:i` what kind of callback it is, or nothing for a member. Per step: `j:i` its job. Per inner node, and for the
-- root: `l:i` members that have not ended, `f:i` how many succeeded, `x:i` how many did not, `k:i` its callbacks; per inner
-- node: `t:i` its kind, `m:i` its members, `b:i` when it began.
--
-- What an end brings about is decided whole before the first write (`flow_look`) and then carried out (`flow_ended`). Only
-- what stands next to the step is read, however large the workflow; what fails takes along all that waits for it.

local function each(list)
  return string.gmatch(list or '', '%d+')
end

-- What is decided, and what of the hash it was decided upon, as it will be.
local function flow_plan(job, summary)
  local plan = { id = job.flow, job = job, summary = summary, puts = {}, released = {}, dropped = {}, told = {} }
  local seen = {}
  function plan.get(field)
    if seen[field] == nil then seen[field] = redis.call('HGET', key(FLOW, plan.id), field) end
    return seen[field]
  end
  function plan.put(field, value)
    seen[field] = tostring(value)
    plan.puts[field] = seen[field]
  end
  function plan.add(field, delta)
    plan.put(field, tonumber(plan.get(field) or '0') + delta)
  end
  return plan
end

local function flow_data(plan)
  return '{"workflow_id":"' .. plan.id .. '","workflow_name":' .. cjson.encode(plan.get('name') or '')
end

-- The job of a step that waits, if it can still be moved.
local function flow_job(plan, i)
  local step = job_read(plan.get('j:' .. i))
  if not step or step.state ~= 'pending' then return nil end
  check_indexes(step)
  return step
end

-- A node may begin: a step becomes available, an inner node lets go those of its members that wait for no other.
local function flow_release(plan, i)
  if plan.get('s:' .. i) ~= 'waiting' then return end
  plan.put('s:' .. i, 'enqueued')
  local members = plan.get('m:' .. i)
  if not members then
    table.insert(plan.released, flow_job(plan, i))
    return
  end
  plan.put('b:' .. i, NOW_MS)
  for member in each(members) do
    if not plan.get('d:' .. member) then flow_release(plan, member) end
  end
end

-- A node will never begin, and nothing within it.
local function flow_drop(plan, i)
  if plan.get('s:' .. i) ~= 'waiting' then return end
  plan.put('s:' .. i, 'cancelled')
  local members = plan.get('m:' .. i)
  if not members then
    table.insert(plan.dropped, flow_job(plan, i))
    return
  end
  for member in each(members) do flow_drop(plan, member) end
  for callback in each(plan.get('k:' .. i)) do flow_drop(plan, callback) end
end

-- The same, and so for all that waits for it.
local function flow_skip(plan, i)
  if plan.get('s:' .. i) ~= 'waiting' then return end
  flow_drop(plan, i)
  plan.add('l:' .. (plan.get('u:' .. i) or 'r'), -1)
  for other in each(plan.get('o:' .. i)) do flow_skip(plan, other) end
end

local flow_node_ended

-- All members of a node have ended: so has it, and its callbacks may run.
local function flow_close(plan, i)
  local failed = tonumber(plan.get('x:' .. i)) > 0
  for callback in each(plan.get('k:' .. i)) do
    local kind = plan.get('c:' .. callback)
    local runs = kind == 'complete' or kind == (failed and 'failure' or 'success')
    if runs then flow_release(plan, callback) else flow_drop(plan, callback) end
  end
  local outcome = failed and 'failed' or 'completed'
  if i ~= 'r' then return flow_node_ended(plan, i, outcome, plan.get('t:' .. i), plan.get('b:' .. i)) end
  plan.put('state', outcome)
  plan.put('ended', NOW_MS)
  local why = failed and ',"failed_step_id":' .. cjson.encode(plan.get('bad') or '') .. ',"failed_step_type":"'
    .. (plan.get('badtype') or '') .. '","error":{"message":' .. cjson.encode(plan.get('badwhy') or '') .. '}' or ''
  table.insert(plan.told, { 'workflow.' .. outcome, flow_data(plan) .. ',"total_steps":' .. plan.get('steps')
    .. ',"duration_ms":' .. (NOW_MS - tonumber(plan.get('created'))) .. why .. '}' })
end

-- A node ended: completed, failed or cancelled. What waited for it may begin, or never will.
function flow_node_ended(plan, i, outcome, kind, began)
  plan.put('s:' .. i, outcome)
  if plan.get('c:' .. i) then return end
  local level = plan.get('u:' .. i) or 'r'
  plan.add('l:' .. level, -1)
  plan.add((outcome == 'completed' and 'f:' or 'x:') .. level, 1)
  -- What has ended goes on in its callbacks, what was cancelled does not.
  if plan.get('state') == 'cancelled' then return end
  if outcome ~= 'completed' and not plan.get('bad') then
    plan.put('bad', plan.get('n:' .. i) or i)
    plan.put('badtype', kind)
    plan.put('badwhy', plan.summary)
  end
  for other in each(plan.get('o:' .. i)) do
    if outcome == 'completed' then
      plan.add('d:' .. other, -1)
      if tonumber(plan.get('d:' .. other)) == 0 then flow_release(plan, other) end
    else
      flow_skip(plan, other)
    end
  end
  table.insert(plan.told, { 'workflow.step_completed', flow_data(plan) .. ',"step_id":' .. cjson.encode(plan.get('n:' .. i) or i)
    .. ',"step_type":"' .. kind .. '","state":"' .. outcome .. '","duration_ms":' .. (NOW_MS - tonumber(began or NOW_MS))
    .. ',"steps_remaining":' .. plan.get('l:' .. level) .. '}' })
  if tonumber(plan.get('l:' .. level)) == 0 then flow_close(plan, level) end
end

-- Decides what the end of a job does to its workflow: to be called before the first write.
local function flow_look(job, outcome, summary)
  local plan = flow_plan(job, summary)
  local state = plan.get('s:' .. job.step)
  -- A step may end while it waits: it was cancelled, or has expired.
  if state ~= 'enqueued' and state ~= 'waiting' then return nil end
  check('ZCARD', key(PARKED))
  check('ZCARD', key(ENDED, 'cancelled'))
  check('ZCARD', key(FLOWS))
  flow_node_ended(plan, job.step, outcome, job.type, job.started)
  return plan
end

local function flow_ended(plan)
  for field, value in pairs(plan.puts) do redis.call('HSET', key(FLOW, plan.id), field, value) end
  if plan.puts.ended then place(key(FLOWS), plan.id, NOW) end
  for _, step in ipairs(plan.released) do
    make_available(step)
    tell_enqueued(step)
  end
  for _, step in ipairs(plan.dropped) do cancel_job(step, nil, 'workflow', 'a step before it did not succeed') end
  for _, told in ipairs(plan.told) do tell(told[1], 'api', plan.id, told[2]) end
end

flows.look, flows.ended = flow_look, flow_ended
