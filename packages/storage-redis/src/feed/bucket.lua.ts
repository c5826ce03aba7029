import { script } from "../script.ts"
import { bucketsLua, chunksLua } from "./chunks.lua.ts"

/** Reads ranges from the arguments, and the index by them. */
const prelude = `${chunksLua}${bucketsLua}
local position = 1
local function nextArgument()
  position = position + 1
  return ARGV[position - 1]
end

local function nextRange()
  local range = { from = tonumber(nextArgument()), to = tonumber(nextArgument()) }
  range.replayableOnly = nextArgument() == '1'
  range.afterId = nextArgument()
  if range.afterId == '' then range.afterId = nil end
  range.digests = {}
  for i = 1, tonumber(nextArgument()) do range.digests[i] = nextArgument() end
  return range
end

-- Shows an entry of a chunk to a function, if it is in the range.
local function show(range, chunk, at, visit)
  local place = struct.unpack('>I6', chunk, at + 16)
  local sequence = math.floor(place / 2)
  if sequence < range.from or sequence > range.to then return end
  if range.replayableOnly and place % 2 == 1 then return end
  local id = string.sub(chunk, at, at + 15)
  if range.afterId and not isGreater(id, range.afterId) then return end
  return visit(sequence, id)
end

-- Shows the entries of a range from the first on, until the function has enough of them.
local function forwards(key, digest, range, visit)
  local full, chunkOf = openBucket(key, digest)
  if not full then return end
  local number = lastChunk(full, chunkOf, beginsBy(range.from))
  if range.afterId then number = math.max(number, lastChunk(full, chunkOf, followsOnly(range.afterId))) end
  for number = number, full do
    local chunk = chunkOf(number)
    if firstSequence(chunk) > range.to then return end
    local _, first = headerOf(chunk)
    for at = first, #chunk, entryBytes do
      if show(range, chunk, at, visit) then return end
    end
  end
end

-- Shows the entries of a range from the last on, and after each chunk asks whether entries with ids up to the one that
-- is the greatest before are still wanted.
local function backwards(key, digest, range, visit, isEnough)
  local full, chunkOf = openBucket(key, digest)
  if not full then return end
  for number = lastChunk(full, chunkOf, beginsBy(range.to)), 0, -1 do
    local chunk = chunkOf(number)
    local _, first, greatest = headerOf(chunk)
    for at = #chunk - entryBytes + 1, first, -entryBytes do
      if show(range, chunk, at, visit) then return end
    end
    if number == 0 or firstSequence(chunk) <= range.from then return end
    if range.afterId and not isGreater(greatest, range.afterId) then return end
    if isEnough and isEnough(greatest) then return end
  end
end
`

/**
 * Selects the entries of ranges, and returns for each a list of sequences and stored bytes, by turns: for as many, from
 * the first on, as fit `maxTotalBytes`. The first comes whatever its size where `always` is 1.
 */
export const bucketScript = script(`${prelude}
local feed, buckets = unpack(KEYS)
local order, maxEntries, maxBytes = nextArgument(), tonumber(nextArgument()), tonumber(nextArgument())
local maxTotalBytes, always = tonumber(nextArgument()), nextArgument() == '1'

local function isNewer(a, b) return isGreater(a.id, b.id) end
local function isEarlier(a, b) return a.sequence < b.sequence end

local function keep(found, before)
  table.sort(found, before)
  for i = #found, maxEntries + 1, -1 do found[i] = nil end
end

local function oldest(digest, range)
  local found = {}
  forwards(buckets, digest, range, function(sequence)
    found[#found + 1] = { sequence = sequence }
    return #found >= maxEntries
  end)
  return found
end

local function newest(digest, range)
  local found = {}
  local function visit(sequence, id) found[#found + 1] = { sequence = sequence, id = id } end
  backwards(buckets, digest, range, visit, function(greatest)
    if #found < maxEntries then return false end
    keep(found, isNewer)
    return isGreater(found[#found].id, greatest)
  end)
  return found
end

-- Each bucket of a range brings as many as the range may have: which ones it keeps is known when all are there.
local function select(range)
  local all = {}
  for _, digest in ipairs(range.digests) do
    for _, entry in ipairs(order == 'newest' and newest(digest, range) or oldest(digest, range)) do
      all[#all + 1] = entry
    end
  end
  keep(all, order == 'newest' and isNewer or isEarlier)
  return all
end

-- The rows of a range and what they weigh; no rows where they don't fit.
local function load(selected, room)
  local rows, bytes = {}, 0
  for i, entry in ipairs(selected) do
    local id = string.format('%d-0', entry.sequence)
    local body = redis.call('XRANGE', feed, id, id)[1][2][2]
    local size = struct.unpack('>I4', body)
    if i > 1 and bytes + size > maxBytes then break end
    bytes = bytes + size
    if bytes > room then return nil end
    rows[#rows + 1] = entry.sequence
    rows[#rows + 1] = body
  end
  return rows, bytes
end

local reply = {}
local room = maxTotalBytes
while position <= #ARGV do
  local comes = always and #reply == 0
  if room < 0 and not comes then break end
  local rows, bytes = load(select(nextRange()), comes and math.huge or room)
  if not rows then break end
  room = room - bytes
  reply[#reply + 1] = rows
end
return reply
`)

/** Returns the first and the last sequence of each range, 0 and 0 where it is empty. */
export const boundsScript = script(`${prelude}
local buckets = KEYS[1]

local function boundsOf(range)
  local first, last = 0, 0
  for _, digest in ipairs(range.digests) do
    forwards(buckets, digest, range, function(sequence)
      if first == 0 or sequence < first then first = sequence end
      return true
    end)
    backwards(buckets, digest, range, function(sequence)
      last = math.max(last, sequence)
      return true
    end)
  end
  return { first, last }
end

local reply = {}
while position <= #ARGV do reply[#reply + 1] = boundsOf(nextRange()) end
return reply
`)
