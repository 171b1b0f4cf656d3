-- What every script of a partition stands on. The names of keys (JOB, READY, …) are those of keys/, written out by script.rs.
-- Arguments common to all: ARGV[1] root of the partition, ARGV[2] channel of events, ARGV[3] events kept and rows
-- of each ledger kept (joined by a colon), ARGV[4] prefix of the workers' channels; a script's own arguments are arg(1), arg(2), …
-- The keys of every call begin with `events` and `told`.
--
-- Rules: read and check all, then write; after the first write nothing may raise, so indexes are read before they are
-- written (which also checks their type) and counters are written with pcall. User JSON is an opaque string.
--
-- All of this is made once, when Redis takes the library, where there is no `string`, no `math`, nothing but the language; what
-- a room remembers while a call lasts it makes anew in `each_call`.

-- Of the call: its keys and arguments, the root of its partition, Redis's time (ms), and that as text.
local KEYS, ARGV, ROOT, NOW_MS, NOW

local beginnings = {}
local function each_call(begin)
  beginnings[#beginnings + 1] = begin
end

local function arg(i)
  return ARGV[4 + i]
end

local function key(kind, name)
  return ROOT .. kind .. (name or '')
end

-- The same, for a name that one call meets over and over.
local names
local function kept_key(kind, name)
  local of = names[kind]
  if not of then
    of = {}
    names[kind] = of
  end
  local full = of[name]
  if not full then
    full = key(kind, name)
    of[name] = full
  end
  return full
end

-- A number as text: Redis writes the numbers that it is handed with 17 digits, slowly.
local texts
local function text(number)
  local written = texts[number]
  if not written then
    written = string.format('%d', number)
    texts[number] = written
  end
  return written
end

-- Nothing of a kind, for all that have nothing: never written to, since it outlives the call.
local NONE = {}

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

each_call(function()
  names, texts, ROOT, NOW_MS = {}, {}, ARGV[1], now_ms()
  NOW = text(NOW_MS)
end)
