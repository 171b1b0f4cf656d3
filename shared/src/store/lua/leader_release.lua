#!lua flags=allow-oom
-- Gives a leadership up, and wakes one standby. KEYS 1 leader, 2 bell. ARGV 1 token.
-- Pre the token is the leader's. Reply {1 | 0}.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 0 } end
local rung = redis.call('LLEN', KEYS[2])
redis.call('DEL', KEYS[1])
if rung < 1 then redis.call('LPUSH', KEYS[2], '1') end
return { 1 }
