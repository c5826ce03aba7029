import { eachScript } from "../calls/eachScript.ts"
import { knownLua } from "../feed/known.lua.ts"

/** Time is the server's: clocks of nodes differ. */
const prelude = `
local state, holder = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function isMine(storedHolder, storedUntil) return storedHolder == holder and tonumber(storedUntil) > now end
`

/**
 * Takes the lease if nobody else has it, and returns the cursor; nothing where somebody has, or the store was erased. Asked
 * again, since an answer was lost on the way, it returns the same.
 */
export const takeScript = eachScript(`${prelude}
local stored = redis.call('HMGET', state, 'erased', 'until', 'cursor', 'holder')
if stored[1] or (stored[2] and tonumber(stored[2]) > now and stored[4] ~= holder) then return false end
redis.call('HSET', state, 'holder', holder, 'until', string.format('%d', now + ARGV[2]))
return tonumber(stored[3] or 0)
`)

/** Returns 1 and prolongs the lease, or 0. One that ran out can only be taken again. */
export const renewScript = eachScript(`${prelude}
if not isMine(unpack(redis.call('HMGET', state, 'holder', 'until'))) then return 0 end
redis.call('HSET', state, 'until', string.format('%d', now + ARGV[2]))
return 1
`)

/** Returns 1 and moves the cursor, never back, or 0 where the lease is lost. It moves to no entry that is gone. */
export const advanceScript = eachScript(`${prelude}${knownLua}
local ids, sequence, id, remoteId = KEYS[2], ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('HMGET', state, 'holder', 'until', 'history', 'cursor')
if not isMine(stored[1], stored[2]) then return 0 end
if not isKnown(ids, stored[3], sequence, id, remoteId) then return lost(sequence) end
if tonumber(sequence) > tonumber(stored[4] or 0) then redis.call('HSET', state, 'cursor', sequence) end
return 1
`)

/** Gives the lease back, unless it is somebody else's by now. */
export const releaseScript = eachScript(`
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HDEL', KEYS[1], 'holder', 'until') end
`)
