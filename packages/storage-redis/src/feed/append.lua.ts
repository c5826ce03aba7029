import { script } from "../script.ts"

/**
 * Appends records, and answers the head before and then, for each record that was there already, its place and sequence.
 *
 * The records come as one value: for each the digest of its bucket, a length, and its bytes as they are stored. What could
 * make a command fail is looked at before the first is written, since Redis doesn't undo half a script.
 */
export const appendScript = script(`
local feed, ids, bySequence, byId, state = unpack(KEYS)
local records, seenSequence, seenId, channel, message = unpack(ARGV)

local stored = redis.call('HMGET', state, 'erased', 'head')
if stored[1] then return redis.error_reply('ERASED The store was erased') end
if seenId ~= '' and redis.call('HGET', ids, seenId) ~= seenSequence then
  return redis.error_reply('LOST The entry with sequence ' .. seenSequence .. ' is gone')
end
local head = tonumber(stored[2] or 0)
if redis.call('XLEN', feed) ~= head or redis.call('HLEN', ids) ~= head
  or redis.call('ZCARD', bySequence) ~= head or redis.call('ZCARD', byId) ~= head then
  return redis.error_reply('DAMAGED The keys of a store disagree: some were evicted, trimmed or edited')
end

local reply = { head }
local index, position = 0, 1

-- One command for many records costs much less than one for each; Lua takes some thousand arguments.
local function appendSome()
  local digests, bodies, chunk = {}, {}, {}
  while position <= #records and #chunk < 500 do
    local digest, body, after = struct.unpack('>c12I4c0', records, position)
    position = after
    digests[#digests + 1] = digest
    bodies[#bodies + 1] = body
    chunk[#chunk + 1] = string.sub(body, 5, 20)
  end
  local known = redis.call('HMGET', ids, unpack(chunk))
  local fresh, newIds, sequenceMembers, idMembers = {}, {}, {}, {}
  for i, id in ipairs(chunk) do
    local sequence = known[i] or fresh[id]
    if sequence then
      reply[#reply + 1] = index
      reply[#reply + 1] = tonumber(sequence)
    else
      head = head + 1
      fresh[id] = head
      local number = string.format('%d', head)
      local tail = struct.pack('>I7', head * 2 + string.byte(bodies[i], 21) % 2)
      redis.call('XADD', feed, number .. '-0', 'e', bodies[i])
      newIds[#newIds + 1] = id
      newIds[#newIds + 1] = number
      sequenceMembers[#sequenceMembers + 1] = '0'
      sequenceMembers[#sequenceMembers + 1] = digests[i] .. tail
      idMembers[#idMembers + 1] = '0'
      idMembers[#idMembers + 1] = digests[i] .. id .. tail
    end
    index = index + 1
  end
  if #newIds > 0 then
    redis.call('HSET', ids, unpack(newIds))
    redis.call('ZADD', bySequence, unpack(sequenceMembers))
    redis.call('ZADD', byId, unpack(idMembers))
  end
end

while position <= #records do appendSome() end
if head > reply[1] then
  redis.call('HSET', state, 'head', string.format('%d', head))
  redis.call('PUBLISH', channel, message)
end
return reply
`)
