#!lua flags=allow-oom
-- Ends a workflow: from here on no step is let go. Its jobs are cancelled one by one afterwards.
--
-- KEYS events, flow, flows. ARGV 1 flow id, 2 who asks: the same request is answered the same. Pre it is running. Reply {"ok",
-- now, state, job…} with the jobs that have not ended | {"conflict", now, state, job…} when it had ended before: a cancel that
-- was cut short is finished by the next | {"gone", now}.

return function()
  local flat = redis.call('HGETALL', key(FLOW, arg(1)))
  if #flat == 0 then return { 'gone', NOW_MS } end
  redis.call('ZCARD', key(FLOWS))
  local flow = {}
  for i = 1, #flat, 2 do flow[flat[i]] = flat[i + 1] end
  if flow.state ~= 'running' and flow.state ~= 'cancelled' then return { 'conflict', NOW_MS, flow.state } end
  local asked = flow.state == 'running' or flow.request == arg(2)
  local reply = { asked and 'ok' or 'conflict', NOW_MS, 'cancelled' }
  for i = 0, tonumber(flow.nodes) - 1 do
    local state = flow['s:' .. i]
    if (state == 'waiting' or state == 'enqueued') and flow['j:' .. i] then table.insert(reply, flow['j:' .. i]) end
  end
  if flow.state == 'running' then
    for i = 0, tonumber(flow.nodes) - 1 do
      local open = flow['s:' .. i] == 'waiting' or flow['s:' .. i] == 'enqueued'
      if open and flow['m:' .. i] then redis.call('HSET', key(FLOW, arg(1)), 's:' .. i, 'cancelled') end
    end
    redis.call('HSET', key(FLOW, arg(1)), 'state', 'cancelled', 'ended', NOW_MS, 'request', arg(2))
    redis.call('ZADD', key(FLOWS), NOW, arg(1))
  end
  return reply
end
