/*
 * The index of buckets is one hash. A bucket's field is its digest: there are its last entries, up to 16, each with its id
 * (16 bytes) and its place (6): the sequence, doubled, and 1 more where it is only for subscribers. When the 16 are full they
 * move to a field of their own, the digest and their number, and never change again.
 *
 * Before the entries stand how many full chunks come before (3 bytes) and, unless that is 0, the greatest id in all of
 * those (16). So whoever looks for greater ids than that knows where to stop: ids come mostly in order.
 *
 * The index of events is another hash, of the same kind: an event's field is its name, and has the digests of its last
 * buckets, up to 32, in the order of the buckets' first entries. Full ones move to the name, U+0000 and their number, which no
 * name holds. A bucket is written there once, with its first entry.
 */

/** Lua that all sides of the indexes share. Text is not compared with <, which heeds the locale of the server. */
export const chunksLua = `
local entryBytes, chunkEntries = 22, 16
local digestBytes, chunkDigests, headerBytes = 12, 32, 3

local function isGreater(a, b)
  local a1, a2, a3 = struct.unpack('>I6I6I4', a)
  local b1, b2, b3 = struct.unpack('>I6I6I4', b)
  if a1 ~= b1 then return a1 > b1 end
  if a2 ~= b2 then return a2 > b2 end
  return a3 > b3
end

-- How many chunks come before a chunk, where its entries begin, and the greatest id before it.
local function headerOf(chunk)
  local number = struct.unpack('>I3', chunk)
  if number == 0 then return 0, headerBytes + 1, nil end
  return number, 20, string.sub(chunk, 4, 19)
end

local function eventField(event, number) return event .. '\\0' .. struct.pack('>I3', number) end
`

/** Lua that finds its way in the chunks of buckets; it needs `chunksLua`. */
export const bucketsLua = `
-- A bucket: how many full chunks it has, and how to get each and the last one; nil where it has no entries.
local function openBucket(key, digest)
  local last = redis.call('HGET', key, digest)
  if not last then return nil end
  local full = headerOf(last)
  return full, function(number)
    return number == full and last or redis.call('HGET', key, digest .. struct.pack('>I3', number))
  end
end

-- The last chunk that a test, which holds for the first ones, holds for.
local function lastChunk(full, chunkOf, holds)
  local low, high = 0, full
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if holds(chunkOf(middle)) then low = middle else high = middle - 1 end
  end
  return low
end

local function sequenceAt(chunk, at) return math.floor(struct.unpack('>I6', chunk, at + 16) / 2) end

local function firstSequence(chunk)
  local _, first = headerOf(chunk)
  return sequenceAt(chunk, first)
end

local function beginsBy(sequence)
  return function(chunk) return firstSequence(chunk) <= sequence end
end

-- Whether nothing before a chunk has a greater id.
local function followsOnly(id)
  return function(chunk)
    local _, _, greatest = headerOf(chunk)
    return not greatest or not isGreater(greatest, id)
  end
end
`
