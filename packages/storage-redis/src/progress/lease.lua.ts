import { eachScript } from "../calls/eachScript.ts"
import { knownLua } from "../feed/known.lua.ts"
import { stampsLua } from "../lists/stamps.lua.ts"
import { script } from "../script.ts"

/** Time is the server's: clocks of nodes differ. */
const prelude = `
local state, holder = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function isMine(storedHolder, storedUntil) return storedHolder == holder and tonumber(storedUntil) > now end
`

/**
 * Takes the lease if nobody else has it, and returns the cursor, how far it was before it was rewound, and where it is to be
 * rewound to, which may be nothing; nothing at all where somebody has, or the store was erased. Asked
 * again, since an answer was lost on the way, it returns the same.
 */
export const takeScript = eachScript(`${prelude}
local stored = redis.call('HMGET', state, 'erased', 'until', 'cursor', 'holder', 'replay', 'rewind')
if stored[1] or (stored[2] and tonumber(stored[2]) > now and stored[4] ~= holder) then return false end
redis.call('HSET', state, 'holder', holder, 'until', string.format('%d', now + ARGV[2]))
return { tonumber(stored[3] or 0), tonumber(stored[5] or 0), stored[6] }
`)

/** Returns 1 and prolongs the lease, or 0. One that ran out can only be taken again. */
export const renewScript = eachScript(`${prelude}
if not isMine(unpack(redis.call('HMGET', state, 'holder', 'until'))) then return 0 end
redis.call('HSET', state, 'until', string.format('%d', now + ARGV[2]))
return 1
`)

/** Returns 1 and moves the cursor, never back, or 0 where the lease is lost or the cursor is to be rewound. It moves to no entry that is gone. */
export const advanceScript = eachScript(`${prelude}${knownLua}
local ids, sequence, id, remoteId = KEYS[2], ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('HMGET', state, 'holder', 'until', 'history', 'cursor', 'rewind')
if stored[5] or not isMine(stored[1], stored[2]) then return 0 end
if not isKnown(ids, stored[3], sequence, id, remoteId) then return lost(sequence) end
if tonumber(sequence) > tonumber(stored[4] or 0) then redis.call('HSET', state, 'cursor', sequence) end
return 1
`)

/** Gives the lease back, unless it is somebody else's by now. */
export const releaseScript = eachScript(`
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HDEL', KEYS[1], 'holder', 'until') end
`)

/** Says where a cursor is to be rewound to. Nothing happens for a store that was erased, or has no entries. */
export const wantRewoundScript = script(`${stampsLua}
local state, stamp, to = KEYS[1], ARGV[1], ARGV[2]
local stored = redis.call('HMGET', state, 'erased', 'head', 'rewind', 'rested')
if stored[1] or not stored[2] then return end
if isTakenOff(stored[4], stamp) then return unlisted(stored[4]) end
if not stored[3] or tonumber(stored[3]) > tonumber(to) then redis.call('HSET', state, 'rewind', to) end
`)

/** Returns 1 and rewinds the cursor, or 0 where the lease is lost. What failed behind it is forgotten. */
export const rewindScript = script(`${prelude}
local failures, retries = KEYS[2], KEYS[3]
local stored = redis.call('HMGET', state, 'holder', 'until', 'rewind', 'cursor', 'replay')
if not stored[3] or not isMine(stored[1], stored[2]) then return 0 end
redis.call('HDEL', state, 'rewind')
local to, cursor = tonumber(stored[3]), tonumber(stored[4] or 0)
if to >= cursor then return 1 end
local replay = math.max(cursor, tonumber(stored[5] or 0))
redis.call('HSET', state, 'cursor', string.format('%d', to), 'replay', string.format('%d', replay))
for _, key in ipairs({ failures, retries }) do redis.call('ZREMRANGEBYSCORE', key, '(' .. stored[3], '+inf') end
return 1
`)
