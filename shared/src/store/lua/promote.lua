#!lua
-- Makes available what is due.
--
-- KEYS  events, due. ARGV 1 how many at most (1..100).
-- Pre   the job is in `due` at or before now. Post it is available, at the end of its priority; its event is told.
-- Reply {"ok", now, promoted, next due time (ms) or ""}.

return function()
  local promoted = promote_due(tonumber(arg(1)))
  -- What was promoted must not be taken for the next that is due.
  settle()
  local head = redis.call('ZRANGE', key(DUE), 0, 0, 'WITHSCORES')
  return { 'ok', NOW_MS, promoted, head[2] or '' }
end
