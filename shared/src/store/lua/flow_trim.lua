#!lua flags=allow-oom
-- Forgets workflows that ended long enough ago, or that are too many. Their jobs are forgotten as other jobs are.
--
-- KEYS  events, flows. ARGV 1 kept for (ms), 2 kept at most, 3 how many to forget at most (1..100).
-- Pre   it ended at least (1) ago, or (2) or more ended after it. Post it is gone: a callback that still runs ends alone.
-- Reply {now, forgotten}.

return function()
  local ids = aged(key(FLOWS), tonumber(arg(1)), tonumber(arg(2)), tonumber(arg(3)))
  for _, id in ipairs(ids) do
    redis.call('ZREM', key(FLOWS), id)
    redis.call('DEL', key(FLOW, id))
  end
  return { NOW_MS, #ids }
end
