#!lua flags=allow-oom
-- Ends attempts, each as its holder says.
--
-- KEYS  events, leases, due, ended:completed, ended:discarded, ended:dead, then per item: job, out if there is a result,
--       errors if it did not complete.
-- ARGV  1 errors kept; then per item 7: id, lease, outcome, delay (ms), result or error (JSON), summary (text), event data of
--       the error (JSON).
--       Outcomes: completed; retryable (after the delay); discarded; dead (discarded, kept among the dead letters);
--       returned (given back: no attempt burned; after the delay, or at once when it is 0).
-- Pre   the job is active under this very lease.
-- Post  it is in the index of its new state; result or error kept; the run of an entry is closed; its minute counts it;
--       events told.
-- Reply {now, code…} with code: ok | done (this end was reported before) | stale (the lease is another's, or the job was
--       taken back) | cancelled (it was cancelled under this lease) | gone (no such job).

local reply = { NOW_MS }
redis.call('XLEN', key(EVENTS))
for i = 2, #ARGV - 4, 7 do
  table.insert(reply, end_attempt({
    id = arg(i), lease = arg(i + 1), outcome = arg(i + 2), delay_ms = tonumber(arg(i + 3)), json = arg(i + 4),
    summary = arg(i + 5), error = arg(i + 6), errors_kept = tonumber(arg(1)),
  }))
end
count_minutes()
return reply
