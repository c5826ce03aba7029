import { eachScript } from "../calls/eachScript.ts"
import { stampsLua } from "../lists/stamps.lua.ts"
import { chunksLua } from "./chunks.lua.ts"
import { knownLua } from "./known.lua.ts"

/**
 * Appends records, and returns the head before and then, for each record that was there already, its place and sequence.
 *
 * The records come as one value: the greatest of their ids, then for each the digest of its bucket, a length, and its bytes as
 * they are stored. What could make a command fail is looked at before the first is written, since Redis doesn't undo half a
 * script.
 *
 * Lua takes more time here than the commands do: it makes as few strings, tables and functions as it can.
 */
export const appendScript = eachScript(`${chunksLua}${knownLua}${stampsLua}
local feed, ids, buckets, events, state = unpack(KEYS)
local records, knownSequence, knownId, knownRemoteId, remoteId, stamp, channel, message = unpack(ARGV)

local stored = redis.call('HMGET', state, 'erased', 'head', 'chunks', 'greatest', 'rested', 'history')
if stored[1] then return redis.error_reply('ERASED The store was erased') end
if not isKnown(ids, stored[6], knownSequence, knownId, knownRemoteId) then return lost(knownSequence) end
if isTakenOff(stored[5], stamp) then return unlisted(stored[5]) end
local head, chunks, greatest = tonumber(stored[2] or 0), tonumber(stored[3] or 0), stored[4]
local indexed = redis.call('HLEN', buckets) + redis.call('HLEN', events)
if redis.call('XLEN', feed) ~= head or redis.call('HLEN', ids) ~= head or indexed ~= chunks then
  return redis.error_reply('DAMAGED The keys of a store disagree: some were evicted, trimmed or edited')
end

-- Writes fields of a hash. Lua takes some thousand arguments.
local function write(key, changes)
  for from = 1, #changes, 1000 do
    redis.call('HSET', key, unpack(changes, from, math.min(from + 999, #changes)))
  end
end

-- The chunk that follows a full one.
local function chunkAfter(full)
  local number, first, greatest = headerOf(full)
  for at = first, #full, entryBytes do
    local id = string.sub(full, at, at + 15)
    if not greatest or isGreater(id, greatest) then greatest = id end
  end
  return struct.pack('>I3', number + 1) .. greatest
end

-- Adds the digests of new buckets to the last chunk of their event.
local function extend(changes, event, chunk, digests)
  if not chunk then
    chunks = chunks + 1
    chunk = '\\0\\0\\0'
  end
  local first, room = 1, chunkDigests - (#chunk - headerBytes) / digestBytes
  while #digests - first >= room do
    local number = headerOf(chunk)
    chunks = chunks + 1
    changes[#changes + 1] = eventField(event, number)
    changes[#changes + 1] = chunk .. table.concat(digests, '', first, first + room - 1)
    chunk = struct.pack('>I3', number + 1)
    first, room = first + room, chunkDigests
  end
  changes[#changes + 1] = event
  changes[#changes + 1] = chunk .. table.concat(digests, '', first)
end

-- Indexes the buckets that got their first entries, by event.
local function indexBuckets(digests, bodies)
  local names, digestsOf = {}, {}
  for i, body in ipairs(bodies) do
    local event = string.sub(body, 34, 33 + struct.unpack('>I4', body, 22))
    local others = digestsOf[event]
    if others then
      others[#others + 1] = digests[i]
    else
      names[#names + 1] = event
      digestsOf[event] = { digests[i] }
    end
  end
  local changes = {}
  for i, chunk in ipairs(redis.call('HMGET', events, unpack(names))) do
    extend(changes, names[i], chunk, digestsOf[names[i]])
  end
  write(events, changes)
end

local reply = { head }
local index, position = 0, 17

-- Appends what is new of some records, at most as many as one command takes.
local function appendSome()
  local digests, bodies, recordIds, count = {}, {}, {}, 0
  while position <= #records and count < 500 do
    count = count + 1
    digests[count], bodies[count], position = struct.unpack('>c12I4c0', records, position)
    recordIds[count] = string.sub(bodies[count], 5, 20)
  end
  local known = redis.call('HMGET', ids, unpack(recordIds))
  local last = redis.call('HMGET', buckets, unpack(digests))

  local fresh, newIds, places = {}, {}, {}
  local changes, newDigests, newBodies = {}, {}, {}
  for i = 1, count do
    local id, digest, body = recordIds[i], digests[i], bodies[i]
    local sequence = known[i] or fresh[id]
    if sequence then
      reply[#reply + 1] = index
      reply[#reply + 1] = tonumber(sequence)
    else
      head = head + 1
      sequence = string.format('%d', head)
      fresh[id] = sequence
      newIds[#newIds + 1] = id
      newIds[#newIds + 1] = sequence
      redis.call('XADD', feed, sequence .. '-0', 'e', body)

      -- Where the last chunk of the bucket stands among the changes, if it has changed.
      local place = places[digest]
      local chunk = place and changes[place] or last[i]
      if not place then
        place = #changes + 2
        places[digest] = place
        changes[place - 1] = digest
      end
      if not chunk then
        chunks = chunks + 1
        newDigests[#newDigests + 1] = digest
        newBodies[#newBodies + 1] = body
        chunk = '\\0\\0\\0'
      elseif #chunk >= chunkEntries * entryBytes then
        chunks = chunks + 1
        local full = chunk
        chunk = chunkAfter(full)
        changes[place] = chunk
        changes[#changes + 1] = digest .. string.sub(full, 1, 3)
        changes[#changes + 1] = full
      end
      changes[place] = chunk .. id .. struct.pack('>I6', head * 2 + string.byte(body, 21) % 2)
    end
    index = index + 1
  end
  if #newIds == 0 then return end
  write(ids, newIds)
  write(buckets, changes)
  if #newDigests > 0 then indexBuckets(newDigests, newBodies) end
end

while position <= #records do appendSome() end

if head > reply[1] then
  local number = string.format('%d', head)
  local greatestHere = string.sub(records, 1, 16)
  if not greatest or isGreater(greatestHere, greatest) then greatest = greatestHere end
  local changes = { 'head', number, 'chunks', chunks, 'greatest', greatest }
  if remoteId ~= '' and remoteId ~= stored[6] and not isOver(remoteId, stored[6]) then
    changes[7], changes[8] = 'history', remoteId
  end
  redis.call('HSET', state, unpack(changes))
  redis.call('PUBLISH', channel, message .. ' ' .. number)
end
return reply
`)
