import { script } from "../script.ts"
import { knownLua } from "./known.lua.ts"

/**
 * Reads a page, and returns the head and the stored bytes of each entry.
 *
 * How many entries fit is known when they are read: it begins with a few, and asks for more by what those weighed.
 */
export const readScript = script(`${knownLua}
local feed, ids, state = unpack(KEYS)
local from, maxEntries, maxBytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local knownSequence, knownId, knownRemoteId = ARGV[4], ARGV[5], ARGV[6]

local stored = redis.call('HMGET', state, 'erased', 'head', 'history')
if stored[1] then return redis.error_reply('ERASED The store was erased') end
if not isKnown(ids, stored[3], knownSequence, knownId, knownRemoteId) then return lost(knownSequence) end
local head = tonumber(stored[2] or 0)
if redis.call('XLEN', feed) ~= head then
  return redis.error_reply('DAMAGED The keys of a store disagree: some were evicted, trimmed or edited')
end

local page, bytes, step = { head }, 0, 8
while #page <= maxEntries and from <= head do
  local rows = redis.call('XRANGE', feed, string.format('%d', from), '+', 'COUNT', math.min(step, maxEntries - #page + 1))
  for _, row in ipairs(rows) do
    local body = row[2][2]
    bytes = bytes + struct.unpack('>I4', body)
    if #page > 1 and bytes > maxBytes then return page end
    page[#page + 1] = body
  end
  if #rows == 0 then return redis.error_reply('DAMAGED The entries of a store are not its own') end
  from = from + #rows
  step = math.max(1, math.floor((maxBytes - bytes) / (bytes / (#page - 1) + 1)))
end
return page
`)
