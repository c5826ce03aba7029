import { stampsLua } from "../lists/stamps.lua.ts"
import { script } from "../script.ts"

/*
 * A failure is a member of a sorted set, with its sequence for a score. Its bytes: how often it was recorded (4), when for the
 * first (6) and for the last time (6), in milliseconds by the server's clock, and what was recorded.
 */

/** Keeps failures, a sequence and what is recorded by turns, and returns how many there are; an erased store keeps none. */
export const recordScript = script(`${stampsLua}
local failures, state, retries = unpack(KEYS)
local stored = redis.call('HMGET', state, 'erased', 'settled')
if stored[1] then return 0 end
if isTakenOff(stored[2], ARGV[1]) then return unlisted(stored[2]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV, 2 do
  local sequence, attempts, firstAt = ARGV[i], 0, now
  local kept = redis.call('ZRANGEBYSCORE', failures, sequence, sequence)[1]
  if kept then
    attempts, firstAt = struct.unpack('>I4I6', kept)
    redis.call('ZREM', failures, kept)
  end
  redis.call('ZADD', failures, sequence, struct.pack('>I4I6I6', attempts + 1, firstAt, now) .. ARGV[i + 1])
  redis.call('ZREM', retries, sequence)
end
return redis.call('ZCARD', failures)
`)

/**
 * Returns failures behind a sequence, each with whether it is due. Where there are none at all, a stamp, if there is one, counts
 * no more.
 */
export const listScript = script(`${stampsLua}
local failures, state, retries = unpack(KEYS)
local after, limit, stamp = unpack(ARGV)
if stamp ~= '' and redis.call('EXISTS', failures) == 0 then takeOff(state, 'settled', stamp) end
local found = redis.call('ZRANGEBYSCORE', failures, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
for i = 2, #found, 2 do found[i] = redis.call('ZSCORE', retries, found[i]) and 1 or 0 end
return found
`)

/** The same for those that are due. */
export const listDueScript = script(`${stampsLua}
local failures, state, retries = unpack(KEYS)
local after, limit, stamp = unpack(ARGV)
if stamp ~= '' and redis.call('EXISTS', retries) == 0 then takeOff(state, 'tried', stamp) end
local found = {}
for _, sequence in ipairs(redis.call('ZRANGEBYSCORE', retries, '(' .. after, '+inf', 'LIMIT', 0, limit)) do
  local kept = redis.call('ZRANGEBYSCORE', failures, sequence, sequence)[1]
  if kept then
    found[#found + 1] = kept
    found[#found + 1] = 1
  end
end
return found
`)

/** Makes failures due. Those that aren't kept are passed over. */
export const retryScript = script(`${stampsLua}
local failures, state, retries = unpack(KEYS)
local stored = redis.call('HGET', state, 'tried')
if isTakenOff(stored, ARGV[1]) then return unlisted(stored) end
for i = 2, #ARGV do
  if redis.call('ZCOUNT', failures, ARGV[i], ARGV[i]) > 0 then redis.call('ZADD', retries, ARGV[i], ARGV[i]) end
end
`)

/** Forgets the failures of sequences. */
export const settleScript = script(`
for _, sequence in ipairs(ARGV) do
  redis.call('ZREMRANGEBYSCORE', KEYS[1], sequence, sequence)
  redis.call('ZREM', KEYS[2], sequence)
end
`)
