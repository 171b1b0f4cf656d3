-- The usual way of a job, on the text of its record: it is there, is handed out for the first time, and completes, and nothing
-- is noted of it by which any of that is decided. Most jobs go it, many at a time. What changes is their life, which those have
-- in common that one call hands out or completes; the rest of the record stays as it is.
--
-- Whatever is out of the usual is left to the general way (move.lua, attempt.lua), which does the same for any job.

-- Where such jobs are, and where they come.
local leases, completed
each_call(function() leases, completed = key(LEASES), key(ENDED, 'completed') end)

-- A job of this queue that can be handed out in the usual way; nil otherwise.
local function usual_ready(id, name, queue)
  local record = records[id]
  if type(record) ~= 'string' then return nil end
  local life, rest, said = parts_of(record)
  local known = life == READY_LIFE and saying(said)
  if not known or known.queue ~= queue or not known.is_usual then return nil end
  return { id = id, key = name, state = 'available', rest = rest, queue = queue, about = known.about }
end

-- Hands it out until the deadline (ms, as text): `life` and `others` (of its event) are those of all that are handed out to this
-- worker. Its record as it is now.
local function usual_start(job, life, deadline, others)
  local record = life .. '\t' .. job.rest
  rewrite(job.id, job.key, record)
  count(job.queue, 'available', 'active')
  place(kept_key(READY, job.queue), job.id)
  place(leases, job.id, deadline)
  tell_of(job, 'job.started', 'workers', others)
  return record
end

-- Whether the attempt of this item may end in the usual way: if so, it is told what that needs.
local function usual_active(item)
  local record = records[item.id]
  if item.outcome ~= 'completed' or type(record) ~= 'string' then return false end
  local life_part, rest, said, enqueued = parts_of(record)
  local life, known = life_part and life_read(life_part), said and saying(said)
  if not life or not known or not known.is_usual or life.state ~= 'active' or not life.started then return false end
  item.record, item.life, item.rest, item.enqueued = record, life, rest, enqueued
  item.queue, item.about = known.queue, known.about
  return true
end

-- The keys that its end will touch.
local function usual_check()
  check('ZCARD', leases)
  check('ZCARD', completed)
end

-- Completes it. Its record as it is now. What attempts of one life have in common is kept with it.
local function usual_complete(item)
  local id, life = item.id, item.life
  local ran_ms = tally_completed(item.queue, life.started, item.enqueued)
  if not life.completed_text then
    life.completed_text = life_text({
      state = 'completed', attempt = life.attempt, lease = life.lease, worker = life.worker, held = life.held,
      started = life.started, ended = NOW,
    })
    life.completed_said = completed_said(life.attempt, ran_ms)
  end
  local said = life.completed_said .. result_kept(item) .. '}'
  local record = life.completed_text .. '\t' .. item.rest
  rewrite(id, item.key, record)
  count(item.queue, 'active', 'completed')
  place(leases, id)
  place(completed, id, NOW)
  tell_of(item, 'job.completed', 'workers', said)
  return record
end
