-- What an index has kept for long enough, or too much of, the oldest first. Shared by trim, flow_trim.

local function aged(index, kept_ms, kept, most)
  local ids = redis.call('ZRANGE', index, '-inf', NOW_MS - kept_ms, 'BYSCORE', 'LIMIT', 0, most)
  local excess = math.min(redis.call('ZCARD', index) - kept, most)
  if excess > #ids then ids = redis.call('ZRANGE', index, 0, excess - 1) end
  return ids
end
