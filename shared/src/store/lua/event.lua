-- Telling what happened. What one call tells is written as one entry of the stream, and published if anybody may be
-- listening, when its changes are written.

-- Events in one entry: a reader takes an entry whole. Each is a field by a name of its own, for readers that take the fields of
-- an entry for a map.
local TOLD_AT_ONCE = 100
local FIELDS = {}
for n = 0, TOLD_AT_ONCE - 1 do FIELDS[n] = (n - n % 10) / 10 .. n % 10 .. '' end
-- What lies behind the oldest of so many blocks is forgotten.
local BLOCKS = 10

-- Days since 1970-01-01 to a civil date (proleptic Gregorian), by eras of 400 years.
local function rfc3339(ms, always_ms)
  local days = math.floor(ms / 86400000)
  local rest = ms - days * 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local s = math.floor(rest / 1000)
  local fraction = rest % 1000
  local text = string.format('%04d-%02d-%02dT%02d:%02d:%02d', year, month, day,
    math.floor(s / 3600), math.floor(s / 60) % 60, s % 60)
  return text .. ((fraction > 0 or always_ms) and string.format('.%03dZ', fraction) or 'Z')
end

-- Events that are not written yet, as their entries take them: of each its field, then its type, source, subject and data, a
-- line each. In an entry each is a field of its own: to join them here would cost more than writing them.
local told, told_n
each_call(function() told, told_n = {}, 0 end)

-- Tells what happened, in four such lines.
local function tell_lines(lines)
  local n = 2 * told_n
  told[n + 1], told[n + 2] = FIELDS[told_n % TOLD_AT_ONCE], lines
  told_n = told_n + 1
end

-- The same: `data` is the JSON object of the event, in one line, built from names and numbers only (they need no escaping) and
-- from JSON that Rust passed.
local function tell(kind, source, subject, data)
  tell_lines(kind .. '\n' .. source .. '\n' .. subject .. '\n' .. data)
end

-- Whether somebody may be listening to a replica, or to an ordinary channel on another node of a cluster, who cannot be
-- counted from here; where it may not be asked, somebody may. A replica is noticed so many ms late.
local ELSEWHERE_MS = 100
local replicated, clustered, asked_ms = true, true, -ELSEWHERE_MS
local function heard_elsewhere(is_shard)
  if math.abs(NOW_MS - asked_ms) >= ELSEWHERE_MS then
    local info = redis.pcall('INFO', 'replication', 'cluster')
    info = type(info) == 'string' and info or ''
    replicated = not string.find(info, 'connected_slaves:0', 1, true)
    clustered = not string.find(info, 'cluster_enabled:0', 1, true)
    asked_ms = NOW_MS
  end
  return replicated or clustered and not is_shard
end

-- Publishes the events from `first` to `last` of `told`, which are the entry `id`, unless nobody can be listening. event.rs
-- renders the same text from the stream.
local function publish(id, first, last)
  local channel = ARGV[2]
  -- A channel of the partition's own is one of its shard of a cluster.
  local is_shard = string.sub(channel, 1, #ROOT) == ROOT
  local heard = redis.pcall('PUBSUB', is_shard and 'SHARDNUMSUB' or 'NUMSUB', channel)[2] ~= 0
    or not is_shard and redis.pcall('PUBSUB', 'NUMPAT') ~= 0
  if not heard and not heard_elsewhere(is_shard) then return end
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local time = rfc3339(tonumber(ms))
  local stamp = string.format('%012x', tonumber(ms))
  local hash = redis.sha1hex(ROOT .. ms .. '-' .. seq)
  local event_id = string.format('evt_%s-%s-7%03x-%x%s-%s', stamp:sub(1, 8), stamp:sub(9, 12), tonumber(seq) % 4096,
    8 + tonumber(hash:sub(1, 1), 16) % 4, hash:sub(2, 4), hash:sub(5, 12))
  local command = is_shard and 'SPUBLISH' or 'PUBLISH'
  for i = first, last do
    local kind, source, subject, data = string.match(told[2 * i], '^(%C*)\n(%C*)\n(.-)\n(.*)$')
    redis.pcall(command, channel, '{"specversion":"1.0","id":"' .. event_id .. string.format('%04x', i - first)
      .. '","type":"' .. kind .. '","event":"' .. kind .. '","source":"ojs://carillon/' .. source .. '","time":"' .. time
      .. '","timestamp":"' .. time .. '","subject":"' .. subject .. '","data":' .. data .. '}')
  end
end

-- The stream keeps at least so many events: entries of one event are counted by Redis; those of several are counted here, in
-- blocks, by the last entry of each.
local function forget_events(kept, count, id)
  local blocks, size = key(TOLD), math.ceil(tonumber(kept) / BLOCKS)
  local counted = redis.pcall('HINCRBY', blocks, 'n', text(count))
  if type(counted) ~= 'number' or counted < size then return end
  local block, oldest = tonumber(redis.call('HGET', blocks, 'block') or nil) or 0, nil
  for _ = 1, math.min(BLOCKS, math.floor(counted / size)) do
    block = (block + 1) % BLOCKS
    oldest = redis.call('HGET', blocks, text(block)) or oldest
    redis.call('HSET', blocks, text(block), id)
  end
  redis.call('HSET', blocks, 'n', text(counted % size), 'block', text(block))
  if oldest then redis.pcall('XTRIM', key(EVENTS), 'MINID', '=', oldest) end
end

local function settle_events()
  if told_n == 0 then return end
  local kept = string.match(ARGV[3], '^%d+')
  for first = 1, told_n, TOLD_AT_ONCE do
    local last = math.min(first + TOLD_AT_ONCE - 1, told_n)
    local id = redis.pcall('XADD', key(EVENTS), 'MAXLEN', '~', kept, '*', unpack(told, 2 * first - 1, 2 * last))
    if type(id) == 'string' then
      publish(id, first, last)
      if last > first then forget_events(kept, last - first + 1, id) end
    end
  end
  told, told_n = {}, 0
end
