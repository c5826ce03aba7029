import { script } from "../script.ts"
import { bucketsLua, chunksLua } from "./chunks.lua.ts"
import { knownLua } from "./known.lua.ts"

/** Chunks of digests that one script looks at, 32 buckets each: it bounds how long the server is busy. */
const maxChunks = 8

/**
 * Looks at some buckets of an event, from a chunk of digests on: of each that begins by a sequence, returns the sequence of
 * its last entry, by `id` or by `sequence`, its last sequence and, if wanted, its primary key. First comes the number of the
 * chunk where the next script goes on, or -1.
 *
 * What it looks at of a bucket is its last chunk, and as many more as it takes to halve the others down to the one wanted.
 */
export const placesScript = script(`${chunksLua}${bucketsLua}${knownLua}
local feed, buckets, events = unpack(KEYS)
local event, from, to, by, wantsKeys = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'

local open = redis.call('HGET', events, event)
if not open then return { -1 } end
local full = headerOf(open)

-- The sequence of the greatest id of a chunk up to a sequence, and that id.
local function greatestIn(chunk, to)
  local _, first = headerOf(chunk)
  local greatest, greatestSequence
  for at = first, #chunk, entryBytes do
    local sequence = sequenceAt(chunk, at)
    if sequence > to then break end
    local id = string.sub(chunk, at, at + 15)
    if not greatest or isGreater(id, greatest) then greatest, greatestSequence = id, sequence end
  end
  return greatestSequence, greatest
end

local function lastSequenceIn(chunk, to)
  local _, first = headerOf(chunk)
  for at = #chunk - entryBytes + 1, first, -entryBytes do
    local sequence = sequenceAt(chunk, at)
    if sequence <= to then return sequence end
  end
end

-- Where the entry with the greatest id is, if its bucket is looked at up to a chunk.
local function greatestUpTo(number, chunkOf)
  local sequence, id = greatestIn(chunkOf(number), to)
  local _, _, before = headerOf(chunkOf(number))
  if not before or isGreater(id, before) then return sequence end
  -- It is in the last chunk that nothing so great comes before.
  local holder = lastChunk(number - 1, chunkOf, function(chunk)
    local _, _, greatest = headerOf(chunk)
    return not greatest or isGreater(before, greatest)
  end)
  return (greatestIn(chunkOf(holder), to))
end

local function primaryKeyOf(sequence)
  local id = string.format('%d-0', sequence)
  local row = redis.call('XRANGE', feed, id, id)[1]
  if not row then return nil end
  local eventBytes, keyBytes = struct.unpack('>I4I4', row[2][2], 22)
  return string.sub(row[2][2], 34 + eventBytes, 33 + eventBytes + keyBytes)
end

local reply = { from + ${maxChunks} <= full and from + ${maxChunks} or -1 }
for number = from, math.min(full, from + ${maxChunks} - 1) do
  local chunk = number == full and open or redis.call('HGET', events, eventField(event, number))
  for at = headerBytes + 1, #chunk, digestBytes do
    local bucketChunks, chunkOf = openBucket(buckets, string.sub(chunk, at, at + digestBytes - 1))
    local number = lastChunk(bucketChunks, chunkOf, beginsBy(to))
    local last = lastSequenceIn(chunkOf(number), to)
    -- Buckets come in the order of their first entries.
    if not last then
      reply[1] = -1
      return reply
    end
    local sequence = by == 'id' and greatestUpTo(number, chunkOf) or last
    reply[#reply + 1] = sequence
    reply[#reply + 1] = last
    if wantsKeys then
      local primaryKey = primaryKeyOf(sequence)
      if not primaryKey then return lost(sequence) end
      reply[#reply + 1] = primaryKey
    end
  end
end
return reply
`)

/**
 * Loads entries, as many as fit; the first comes whatever its size where `always` is 1. Nothing where the store was erased
 * meanwhile.
 */
export const loadScript = script(`${knownLua}
local feed, state = unpack(KEYS)
local room, always = tonumber(ARGV[1]), ARGV[2] == '1'
local rows, bytes = {}, 0
for i = 3, #ARGV do
  local row = redis.call('XRANGE', feed, ARGV[i] .. '-0', ARGV[i] .. '-0')[1]
  if not row then
    if redis.call('HEXISTS', state, 'erased') == 1 then return false end
    return lost(ARGV[i])
  end
  bytes = bytes + struct.unpack('>I4', row[2][2])
  if bytes > room and not (always and #rows == 0) then break end
  rows[#rows + 1] = row[2][2]
end
return rows
`)
