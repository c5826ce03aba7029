import { script } from "../script.ts"
import { chunksLua } from "./chunks.lua.ts"

/**
 * Appends records, and answers the head before and then, for each record that was there already, its place and sequence.
 *
 * The records come as one value: for each the digest of its bucket, a length, and its bytes as they are stored. What could
 * make a command fail is looked at before the first is written, since Redis doesn't undo half a script.
 */
export const appendScript = script(`${chunksLua}
local feed, ids, buckets, state = unpack(KEYS)
local records, seenSequence, seenId, channel, message = unpack(ARGV)

local stored = redis.call('HMGET', state, 'erased', 'head', 'chunks', 'greatest')
if stored[1] then return redis.error_reply('ERASED The store was erased') end
if seenId ~= '' and redis.call('HGET', ids, seenId) ~= seenSequence then
  return redis.error_reply('LOST The entry with sequence ' .. seenSequence .. ' is gone')
end
local head, chunks, greatest = tonumber(stored[2] or 0), tonumber(stored[3] or 0), stored[4]
if redis.call('XLEN', feed) ~= head or redis.call('HLEN', ids) ~= head or redis.call('HLEN', buckets) ~= chunks then
  return redis.error_reply('DAMAGED The keys of a store disagree: some were evicted, trimmed or edited')
end

local reply = { head }
local index, position = 0, 1

-- One command for many records costs much less than one for each; Lua takes some thousand arguments.
local function nextRecords()
  local digests, bodies, ids = {}, {}, {}
  while position <= #records and #ids < 500 do
    local count = #ids + 1
    digests[count], bodies[count], position = struct.unpack('>c12I4c0', records, position)
    ids[count] = string.sub(bodies[count], 5, 20)
  end
  return digests, bodies, ids
end

-- The header of the chunk that follows a full one.
local function headerAfter(chunk)
  local number, first, greatest = headerOf(chunk)
  for at = first, #chunk, entryBytes do
    local id = string.sub(chunk, at, at + 15)
    if not greatest or isGreater(id, greatest) then greatest = id end
  end
  return struct.pack('>I3', number + 1) .. greatest
end

-- The last chunks of buckets, and what became of them.
local function openChunks(digests)
  local wanted, last, changed = {}, {}, {}
  for _, digest in ipairs(digests) do
    if last[digest] == nil then
      last[digest] = false
      wanted[#wanted + 1] = digest
    end
  end
  for i, chunk in ipairs(redis.call('HMGET', buckets, unpack(wanted))) do last[wanted[i]] = chunk end

  local function set(field, chunk)
    changed[#changed + 1] = field
    changed[#changed + 1] = chunk
  end

  local function add(digest, entry)
    local chunk = last[digest]
    if not chunk then
      chunks = chunks + 1
      chunk = '\\0\\0\\0'
    elseif #chunk >= chunkEntries * entryBytes then
      chunks = chunks + 1
      set(digest .. string.sub(chunk, 1, 3), chunk)
      chunk = headerAfter(chunk)
    end
    last[digest] = chunk .. entry
  end

  local function close()
    for _, digest in ipairs(wanted) do
      if last[digest] then set(digest, last[digest]) end
    end
    for from = 1, #changed, 1000 do
      redis.call('HSET', buckets, unpack(changed, from, math.min(from + 999, #changed)))
    end
  end

  return add, close
end

while position <= #records do
  local digests, bodies, recordIds = nextRecords()
  local known = redis.call('HMGET', ids, unpack(recordIds))
  local add, close = openChunks(digests)
  local fresh, newIds = {}, {}
  for i, id in ipairs(recordIds) do
    local sequence = known[i] or fresh[id]
    if sequence then
      reply[#reply + 1] = index
      reply[#reply + 1] = tonumber(sequence)
    else
      head = head + 1
      fresh[id] = head
      if not greatest or isGreater(id, greatest) then greatest = id end
      local number = string.format('%d', head)
      redis.call('XADD', feed, number .. '-0', 'e', bodies[i])
      add(digests[i], id .. struct.pack('>I6', head * 2 + string.byte(bodies[i], 21) % 2))
      newIds[#newIds + 1] = id
      newIds[#newIds + 1] = number
    end
    index = index + 1
  end
  if #newIds > 0 then
    redis.call('HSET', ids, unpack(newIds))
    close()
  end
end

if head > reply[1] then
  redis.call('HSET', state, 'head', string.format('%d', head), 'chunks', chunks, 'greatest', greatest)
  redis.call('PUBLISH', channel, message)
end
return reply
`)
