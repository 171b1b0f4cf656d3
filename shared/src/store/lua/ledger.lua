-- Ledgers: lists of rows, appended at the right and cut at the left. A row is one text: its position, `<ms>-<number>`, then
-- fields and values by turns, all joined by NUL; what somebody said in his own words stands last. The time never falls, and
-- the number is that of rows ever appended, without gaps: so the first row tells how many were cut.
-- Shared by fire, cron_put, cron_remove and whatever ends runs.

-- How many rows a ledger keeps, about.
local rows_kept
each_call(function() rows_kept = nil end)

-- Appends a row to a ledger whose last row is `last` (false: there is none), and returns the row that is its last now. `last`
-- is read by LINDEX before the first write, which checks the type too. `fields` begin with NUL.
local function ledger_add(name, last, fields)
  local position = NOW .. '-1'
  local ms, number = string.match(last or '', '^(%d+)%-(%d+)')
  if number then position = (tonumber(ms) > NOW_MS and ms or NOW) .. '-' .. text(number + 1) end
  local row = position .. fields
  local length = redis.pcall('RPUSH', name, row)
  -- A row that was not written has no number.
  if type(length) ~= 'number' then return last end
  rows_kept = rows_kept or tonumber(string.match(ARGV[3], ':(%d+)$'))
  -- Not for each row, because that would cost as much as the row: a tenth at once.
  if length > rows_kept * 1.1 then redis.pcall('LTRIM', name, text(-rows_kept), '-1') end
  return row
end
