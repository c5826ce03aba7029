import { script } from "../script.ts"

/** Time is the server's: clocks of nodes differ. */
const prelude = `
local state, holder = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function isMine()
  local lease = redis.call('HMGET', state, 'holder', 'until')
  return lease[1] == holder and tonumber(lease[2]) > now
end
`

/**
 * Takes the lease if nobody else has it, and answers the cursor; nothing where somebody has, or the store was erased. Asked
 * again, since an answer was lost on the way, it answers the same.
 */
export const takeScript = script(`${prelude}
local stored = redis.call('HMGET', state, 'erased', 'until', 'cursor', 'holder')
if stored[1] or (stored[2] and tonumber(stored[2]) > now and stored[4] ~= holder) then return false end
redis.call('HSET', state, 'holder', holder, 'until', string.format('%d', now + ARGV[2]))
return tonumber(stored[3] or 0)
`)

/** Answers 1 and prolongs the lease, or 0. One that ran out can only be taken again. */
export const renewScript = script(`${prelude}
if not isMine() then return 0 end
redis.call('HSET', state, 'until', string.format('%d', now + ARGV[2]))
return 1
`)

/** Answers 1 and moves the cursor, never back, or 0 where the lease is lost. */
export const advanceScript = script(`${prelude}
if not isMine() then return 0 end
local cursor = tonumber(redis.call('HGET', state, 'cursor') or 0)
if tonumber(ARGV[2]) > cursor then redis.call('HSET', state, 'cursor', ARGV[2]) end
return 1
`)

/** Gives the lease back, unless it is somebody else's by now. */
export const releaseScript = script(`
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HDEL', KEYS[1], 'holder', 'until') end
`)
