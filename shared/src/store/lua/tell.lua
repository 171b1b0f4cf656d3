#!lua flags=allow-oom
-- Tells an event of something that is in no partition. KEYS events. ARGV 1 type, 2 source, 3 subject, 4 data (JSON).
-- Reply {now}.

return function()
  tell(arg(1), arg(2), arg(3), arg(4))
  return { NOW_MS }
end
