#!lua flags=allow-oom
-- Cuts ledgers to what may be shown of them.
--
-- KEYS  events, told, then at most 100 ledgers. ARGV 1 rows kept of each, 2 kept for (ms).
-- Post  none holds more than (1) rows, nor one older than (2) but the last: it numbers those after it, and tells that others
--       were cut. Reply {now}.

return function()
  local kept, oldest, cut = tonumber(arg(1)), NOW_MS - tonumber(arg(2)), {}

  -- What is no row is cut by number only.
  local function is_old(row)
    return tonumber(string.match(row, '^(%d+)%-') or oldest) < oldest
  end

  for i = 3, #KEYS do
    local length = redis.call('LLEN', KEYS[i])
    cut[i] = math.max(0, length - kept)
    if length > 1 and is_old(redis.call('LINDEX', KEYS[i], '0')) then
      -- The time never falls: the first row that is not too old is found by halving.
      local from, to = cut[i], length - 1
      while from < to do
        local middle = math.floor((from + to) / 2)
        if is_old(redis.call('LINDEX', KEYS[i], text(middle))) then from = middle + 1 else to = middle end
      end
      cut[i] = from
    end
  end
  for i = 3, #KEYS do
    if cut[i] > 0 then redis.call('LTRIM', KEYS[i], text(cut[i]), '-1') end
  end
  return { NOW_MS }
end
