-- Written once: what one call changes for many jobs is written at its end, or before it is read again: records, places in
-- indexes, counters, rings of bells. library.lua ends every script with `settle`, also when it fails half-way.

local places, counts, rings
-- Arguments in one call: Lua's stack holds 8,000.
local ARGS_MAX = 2000
local BELLS_MAX = 64

-- Raises now, before the first write, if a key is not what it should be. What was sound once is sound.
local sound
local function check(command, name)
  if sound[name] then return end
  redis.call(command, name)
  sound[name] = true
end

-- As many at once as Lua can hand on.
local function each_part(list, act)
  local n = #list
  if n == 0 then return end
  if n <= ARGS_MAX then return act(unpack(list)) end
  for from = 1, n, ARGS_MAX do act(unpack(list, from, math.min(from + ARGS_MAX - 1, n))) end
end

-- Gives a job its place in a sorted set; without a score it loses it. The last word counts.
local function place(index, id, score)
  local of = places[index]
  if not of then
    of = {}
    places[index] = of
  end
  of[id] = score or false
end

-- Nothing that is written here keeps the rest from being written: the first that failed.
local failed

each_call(function() places, counts, rings, sound, failed = {}, {}, {}, {}, nil end)

local function send(command, index, args)
  each_part(args, function(...)
    local answer = redis.pcall(command, index, ...)
    if type(answer) == 'table' and answer.err then failed = failed or answer end
  end)
end

-- A job of a queue was in one state and is in another; nil: in none.
local function count(queue, before, after)
  local of = counts[queue]
  if not of then
    of = {}
    counts[queue] = of
  end
  if before then of[before] = (of[before] or 0) - 1 end
  if after then of[after] = (of[after] or 0) + 1 end
end

local function ring(queue, times)
  rings[queue] = (rings[queue] or 0) + times
end

-- Keys and texts of the records that have changed; made by record.lua.
local write_records

local function settle()
  -- Before a job is in an index it has its record.
  each_part(write_records(), function(...)
    local answer = redis.pcall('MSET', ...)
    if answer.err then failed = failed or answer end
  end)
  for index, of in pairs(places) do
    local gone, come = {}, {}
    for id, score in pairs(of) do
      if score then
        local n = #come
        come[n + 1], come[n + 2] = score, id
      else
        gone[#gone + 1] = id
      end
    end
    send('ZREM', index, gone)
    send('ZADD', index, come)
  end
  for queue, of in pairs(counts) do
    for state, delta in pairs(of) do
      if delta ~= 0 then redis.pcall('HINCRBY', kept_key(QUEUE, queue), state, text(delta)) end
    end
  end
  for queue, times in pairs(rings) do
    local bell, tokens = key(BELL, queue), {}
    local rung = redis.pcall('LLEN', bell)
    for i = 1, type(rung) == 'number' and math.min(BELLS_MAX - rung, times) or 0 do tokens[i] = '1' end
    if #tokens > 0 then redis.pcall('RPUSH', bell, unpack(tokens)) end
  end
  places, counts, rings = {}, {}, {}
  settle_events()
  if failed then error(failed) end
end
