/*
 * On a cluster the backend's id lies on another server than a store, so that no script can look at both. A store keeps the id
 * under which it was last appended to instead. Ids begin with a number that rises with each (`Identity`), so it is known which
 * of two is over. That is enough: entries can only come back to their places by appends of the history that followed, and
 * nodes append under the id that they told the devices which send them.
 */

/** Lua for scripts that are told of an entry that was committed, and in which history. They are told of none by no id. */
export const knownLua = `
-- Whether an id of the backend is older than the one that a store was last appended to under, or another as old.
local function isOver(remoteId, history)
  if remoteId == '' or not history or remoteId == history then return false end
  return struct.unpack('>I6', remoteId) <= struct.unpack('>I6', history)
end

local function isKnown(ids, history, sequence, id, remoteId)
  return id == '' or (redis.call('HGET', ids, id) == sequence and not isOver(remoteId, history))
end

local function lost(sequence) return redis.error_reply('LOST ' .. sequence .. ' is the sequence of an entry that is gone') end
`
