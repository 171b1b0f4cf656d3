#!lua flags=allow-oom
-- Takes back jobs whose lease has ended, as decided on what `overdue` listed.
--
-- KEYS  events, leases, reaper, ended:discarded, ended:dead, then per item: job, errors.
-- ARGV  1 gap (ms) as for `overdue`, 2 a worker that fell silent, or ""; then per item 7: id, lease, outcome (available |
--       discarded | dead), error (JSON), summary (text), event data of the error (JSON), errors kept.
-- Pre   active under this lease, held by that worker or its deadline passed, and no hold-off is due.
-- Post  available again under a lease that nobody holds (a late end is refused), or discarded.
-- Reply {now, code…} with code: ok | stale | held | gone.

return function()
  local tick = redis.call('HMGET', key(REAPER), 'tick', 'hold')
  local held = not tick[1] or NOW_MS - tonumber(tick[1]) > tonumber(arg(1)) or tonumber(tick[2] or '0') > NOW_MS
  redis.call('XLEN', key(EVENTS))

  local function reclaim(item)
    local job = job_read(item.id)
    if not job then
      redis.call('ZREM', key(LEASES), item.id)
      return 'gone'
    end
    local deadline = tonumber(redis.call('ZSCORE', key(LEASES), item.id) or nil)
    local over = deadline and (deadline <= NOW_MS or job.worker == arg(2))
    if job.state ~= 'active' or job.lease ~= item.lease or not over then return 'stale' end
    check_indexes(job)
    redis.call('LLEN', key(ERRORS, job.id))
    redis.call('ZCARD', key(ENDED, item.outcome))
    if item.outcome == 'dead' then check('ZCARD', key(DEAD, job.queue)) end
    local look = end_look(job, OUTCOMES[item.outcome], item.summary)
    local number = string.match(job.lease, '^%d+')
    job.lease = number .. '-lost'
    set(job, 'crashes', 1 + tonumber(job.crashes or '0'))
    if item.outcome ~= 'available' then
      ENDS[item.outcome](job, item, look)
      return 'ok'
    end
    keep_error(job, item)
    make_available(job, job.seq)
    tell_failed(job, item, 'available')
    tell_enqueued(job)
    return 'ok'
  end

  local reply = { NOW_MS }
  for i = 3, #ARGV - 4, 7 do
    table.insert(reply, held and 'held' or reclaim({
      id = arg(i), lease = arg(i + 1), outcome = arg(i + 2), json = arg(i + 3), summary = arg(i + 4), error = arg(i + 5),
      errors_kept = tonumber(arg(i + 6)),
    }))
  end
  count_minutes()
  return reply
end
