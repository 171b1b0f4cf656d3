#!lua
-- Begins a workflow: all of its jobs are taken in, those that wait for no other are available.
--
-- KEYS  events, due, parked, expires, flow, then per step: job, env, ready, queue, bell.
-- ARGV  1 flow id, 2 number of pairs of the flow, the pairs; then per step: id, state (available | pending), envelope, what
--       its producer said, as lines of its record: queue, type, notes (`flow` and `step` among them).
-- Pre   there is no such workflow. Reply {"ok", now}; again when the same workflow is created again.

return function()
  local flow, i = {}, 3
  for p = 0, tonumber(arg(2)) - 1 do
    table.insert(flow, arg(i + 2 * p))
    table.insert(flow, arg(i + 1 + 2 * p))
  end
  i = i + 2 * tonumber(arg(2))
  local jobs, k = {}, 7
  for step = 4 + i, #ARGV, 4 do
    local id, state, env, said = unpack(ARGV, step, step + 3)
    jobs[#jobs + 1] = job_new(k, id, state, 0, env, said, '')
    k = k + 5
  end

  if redis.call('EXISTS', key(FLOW, arg(1))) == 1 then return { 'ok', NOW_MS } end
  redis.call('XLEN', key(EVENTS))
  redis.call('ZCARD', key(PARKED))
  redis.call('ZCARD', key(EXPIRES))
  for _, job in ipairs(jobs) do check_indexes(job) end

  redis.call('HSET', key(FLOW, arg(1)), 'created', NOW_MS)
  for p = 1, #flow, 2 do redis.call('HSET', key(FLOW, arg(1)), flow[p], flow[p + 1]) end
  write_envelopes(jobs)
  for _, job in ipairs(jobs) do take_in(job) end
  tell('workflow.started', 'api', arg(1), '{"workflow_id":"' .. arg(1) .. '","workflow_name":'
    .. cjson.encode(redis.call('HGET', key(FLOW, arg(1)), 'name') or '') .. ',"total_steps":' .. redis.call('HGET', key(FLOW, arg(1)), 'steps') .. '}')
  -- A step that had expired already ends at once, and takes along what waits for it: nobody else would ever end it.
  for _, job in ipairs(jobs) do
    if job.state == 'discarded' then job_ended(job, end_look(job, 'failed', EXPIRED), EXPIRED) end
  end
  return { 'ok', NOW_MS }
end
