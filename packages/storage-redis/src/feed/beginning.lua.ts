import { script } from "../script.ts"
import { bucketsLua, chunksLua } from "./chunks.lua.ts"

/**
 * Looks at the end of a feed and at the events that are in no group. Returns the head, 0 where there is no feed; 1 if an entry
 * has an id greater than a given one, else 0; and of the first entry of another event the sequence, 0 where there is none,
 * with 1 if its id is greater, else 0.
 */
export const beginningScript = script(`${chunksLua}${bucketsLua}
local state, buckets, events = unpack(KEYS)
local toId, grouped = ARGV[1], {}
for i = 2, #ARGV do grouped[ARGV[i]] = true end

local stored = redis.call('HMGET', state, 'erased', 'head', 'greatest')
if stored[1] or not stored[2] then return { 0, 0, 0, 0 } end

-- The sequence and the id of the first entry of an event, which is that of its first bucket.
local function firstOf(event)
  local chunk = redis.call('HGET', events, event)
  if headerOf(chunk) > 0 then chunk = redis.call('HGET', events, eventField(event, 0)) end
  local _, chunkOf = openBucket(buckets, string.sub(chunk, headerBytes + 1, headerBytes + digestBytes))
  local first = chunkOf(0)
  return firstSequence(first), string.sub(first, headerBytes + 1, headerBytes + 16)
end

local firstOther, isYounger = 0, false
for _, field in ipairs(redis.call('HKEYS', events)) do
  if not grouped[field] and not string.find(field, '\\0', 1, true) then
    local sequence, id = firstOf(field)
    if firstOther == 0 or sequence < firstOther then firstOther, isYounger = sequence, isGreater(id, toId) end
  end
end
return { tonumber(stored[2]), isGreater(stored[3], toId) and 1 or 0, firstOther, isYounger and 1 or 0 }
`)

/** Chunks of digests that one script looks at, 32 buckets each: it bounds how long the server is busy. */
const maxChunks = 8

/**
 * Looks at some buckets of an event, from a chunk of digests on, for entries with ids greater than a given one. Returns the
 * number of the chunk where the next script goes on, or -1, and the sequence that comes before all of those, which is the given
 * one at most.
 *
 * What it looks at of a bucket is its last chunk, and as many more as it takes to halve the others down to the first one that
 * may have such an entry.
 */
export const olderScript = script(`${chunksLua}${bucketsLua}
local buckets, events = unpack(KEYS)
local event, from, to, toId = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local open = redis.call('HGET', events, event)
if not open then return { -1, to } end
local full = headerOf(open)

-- The sequence of the first entry of a chunk that has a greater id.
local function firstYoungerIn(chunk)
  local _, first = headerOf(chunk)
  for at = first, #chunk, entryBytes do
    if isGreater(string.sub(chunk, at, at + 15), toId) then return sequenceAt(chunk, at) end
  end
end

for number = from, math.min(full, from + ${maxChunks} - 1) do
  local chunk = number == full and open or redis.call('HGET', events, eventField(event, number))
  for at = headerBytes + 1, #chunk, digestBytes do
    local bucketChunks, chunkOf = openBucket(buckets, string.sub(chunk, at, at + digestBytes - 1))
    -- Buckets come in the order of their first entries.
    if bucketChunks == 0 and firstSequence(chunkOf(0)) > to then return { -1, to } end
    local younger = firstYoungerIn(chunkOf(lastChunk(bucketChunks, chunkOf, followsOnly(toId))))
    if younger and younger <= to then to = younger - 1 end
  end
end
return { from + ${maxChunks} <= full and from + ${maxChunks} or -1, to }
`)
