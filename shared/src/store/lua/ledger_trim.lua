#!lua flags=allow-oom
-- Cuts ledgers to what may be shown of them.
--
-- KEYS  events, told, then at most 100 ledgers. ARGV 1 items kept of each, 2 kept for (ms).
-- Post  none holds more than (1) items, nor one older than (2); an empty one stays, and tells that it was cut. Reply {now}.

for i = 3, #KEYS do redis.call('XLEN', KEYS[i]) end
local oldest = string.format('%.0f', math.max(0, NOW_MS - tonumber(arg(2))))
for i = 3, #KEYS do
  redis.call('XTRIM', KEYS[i], 'MAXLEN', '=', arg(1))
  redis.call('XTRIM', KEYS[i], 'MINID', '=', oldest)
end
return { NOW_MS }
