-- Workflows, advanced by the script that ends a step. Shared by whatever ends jobs.
--
-- A workflow is a hash: `state`, `left` (members that have not ended), `done`, `failed`, and per step i: `j:i` its job,
-- `s:i` its state (waiting, enqueued, completed, failed, cancelled), `d:i` how many steps it still waits for, `o:i` the steps
-- that wait for it (joined by commas), `c:i` what kind of callback it is, or nothing for a member.

-- Reads what the end of a step will touch: to be called before the first write.
local function flow_look(job)
  if not job.flow then return nil end
  local flat = redis.call('HGETALL', key(FLOW, job.flow))
  if #flat == 0 then return nil end
  local flow = { id = job.flow, waiting = {}, callbacks = {} }
  for i = 1, #flat, 2 do flow[flat[i]] = flat[i + 1] end
  for i = 0, tonumber(flow.steps) - 1 do
    if flow['c:' .. i] then table.insert(flow.callbacks, tostring(i)) end
    if flow['s:' .. i] == 'waiting' then
      local step = job_read(flow['j:' .. i])
      if step and step.state == 'pending' then
        check_indexes(step)
        flow.waiting[tostring(i)] = step
      end
    end
  end
  redis.call('ZCARD', key(PARKED))
  check('ZCARD', key(FLOWS))
  redis.call('ZCARD', key(ENDED, 'cancelled'))
  return flow
end

local function flow_put(flow, field, value)
  flow[field] = tostring(value)
  redis.call('HSET', key(FLOW, flow.id), field, value)
end

local function flow_data(flow)
  return '{"workflow_id":"' .. flow.id .. '","workflow_name":' .. cjson.encode(flow.name or '')
end

local function flow_release(flow, i)
  local step = flow.waiting[i]
  flow.waiting[i] = nil
  if not step then return end
  flow_put(flow, 's:' .. i, 'enqueued')
  make_available(step)
  tell_enqueued(step)
end

-- A step that can never run: it is cancelled, and so are those that wait for it.
local function flow_drop(flow, i)
  local step = flow.waiting[i]
  flow.waiting[i] = nil
  if not step then return end
  flow_put(flow, 's:' .. i, 'cancelled')
  if not flow['c:' .. i] then flow_put(flow, 'left', tonumber(flow.left) - 1) end
  cancel_job(step, nil, 'workflow', 'a step before it did not succeed')
  for other in string.gmatch(flow['o:' .. i] or '', '%d+') do flow_drop(flow, other) end
end

-- All members have ended: the workflow has, and its callbacks may run.
local function flow_close(flow)
  local failed = tonumber(flow.failed) > 0
  flow_put(flow, 'state', failed and 'failed' or 'completed')
  flow_put(flow, 'ended', NOW_MS)
  place(key(FLOWS), flow.id, NOW)
  for _, i in ipairs(flow.callbacks) do
    local kind = flow['c:' .. i]
    local runs = kind == 'complete' or kind == (failed and 'failure' or 'success')
    if runs then flow_release(flow, i) else flow_drop(flow, i) end
  end
  tell(failed and 'workflow.failed' or 'workflow.completed', 'api', flow.id, flow_data(flow) .. ',"total_steps":' .. flow.steps
    .. ',"duration_ms":' .. (NOW_MS - tonumber(flow.created)) .. '}')
end

-- A step ended: completed, failed or cancelled. What waited for it may run, or never will.
local function flow_ended(job, flow, outcome)
  local i = job.step
  if not flow or (flow['s:' .. i] ~= 'enqueued' and flow['s:' .. i] ~= 'waiting') then return end
  -- A step may end while it waits: it was cancelled, or has expired.
  flow.waiting[i] = nil
  flow_put(flow, 's:' .. i, outcome)
  if flow['c:' .. i] then return end
  flow_put(flow, 'left', tonumber(flow.left) - 1)
  local counter = outcome == 'completed' and 'done' or 'failed'
  flow_put(flow, counter, tonumber(flow[counter]) + 1)
  if flow.state ~= 'running' then return end
  for other in string.gmatch(flow['o:' .. i] or '', '%d+') do
    if outcome == 'completed' then
      flow_put(flow, 'd:' .. other, tonumber(flow['d:' .. other]) - 1)
      if tonumber(flow['d:' .. other]) == 0 then flow_release(flow, other) end
    else
      flow_drop(flow, other)
    end
  end
  tell('workflow.step_completed', 'api', flow.id, flow_data(flow) .. ',"step_id":"' .. i .. '","step_type":"' .. job.type
    .. '","state":"' .. outcome .. '","steps_remaining":' .. flow.left .. '}')
  if tonumber(flow.left) == 0 then flow_close(flow) end
end

flow_hooks.look, flow_hooks.ended = flow_look, flow_ended
