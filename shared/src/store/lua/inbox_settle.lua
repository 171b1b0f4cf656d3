#!lua flags=allow-oom
-- Strikes off what was enqueued or cannot be, from the head of what is taken.
--
-- KEYS  1 taken, 2 rejected. ARGV 1 rejected kept at most; then per item, in order: ticket, rejection (JSON) or "".
-- Pre   the item is at the head (whoever else works on the same list has not struck it off). Reply {settled}.

return function()
  redis.call('LLEN', KEYS[2])
  local settled = 0
  for i = 2, #ARGV, 2 do
    local head = redis.call('LINDEX', KEYS[1], 0)
    local ticket = ARGV[i] .. '\n'
    if head and string.sub(head, 1, #ticket) == ticket then
      if ARGV[i + 1] ~= '' then
        redis.call('RPUSH', KEYS[2], ARGV[i + 1])
        redis.call('LTRIM', KEYS[2], -tonumber(ARGV[1]), -1)
      end
      redis.call('LPOP', KEYS[1])
      settled = settled + 1
    end
  end
  return { settled }
end
