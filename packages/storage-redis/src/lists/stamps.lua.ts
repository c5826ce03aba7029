import { eachScript } from "../calls/eachScript.ts"
import { script } from "../script.ts"

/**
 * Lists a store, and returns its new stamp: greater than the one before, than a number, and than the stamps of other times,
 * as long as no clock is put back.
 */
export const listScript = eachScript(`
local stamps, storeId, above = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local before = math.max(above, tonumber(redis.call('HGET', stamps, storeId) or 0))
local stamp = string.format('%.0f', math.max(time[1] * 1000000 + time[2], before + 1))
redis.call('HSET', stamps, storeId, stamp)
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], 0, storeId) end
return stamp
`)

/** Returns listed stores in the order of their names' bytes, each with its stamp and whether that is old. */
export const pageScript = script(`
local names, stamps = unpack(KEYS)
local from, limit, age = unpack(ARGV)
local found = redis.call('ZRANGEBYLEX', names, from, '+', 'LIMIT', 0, limit)
if #found == 0 then return {} end
local time = redis.call('TIME')
local oldest = time[1] * 1000000 + time[2] - age * 1000
local reply = {}
for i, stamp in ipairs(redis.call('HMGET', stamps, unpack(found))) do
  stamp = stamp or '0'
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = stamp
  reply[#reply + 1] = tonumber(stamp) < oldest and 1 or 0
end
return reply
`)

/** Takes stores off a list whose stamps are still these. */
export const unlistScript = script(`
local names, stamps = unpack(KEYS)
for i = 1, #ARGV, 2 do
  if (redis.call('HGET', stamps, ARGV[i]) or '0') == ARGV[i + 1] then
    redis.call('HDEL', stamps, ARGV[i])
    redis.call('ZREM', names, ARGV[i])
  end
end
`)

/** Lua for scripts of stores: what a field of the state says of the stamps of a list. */
export const stampsLua = `
local function isTakenOff(stored, stamp) return stored and tonumber(stored) >= tonumber(stamp) end

local function unlisted(stored) return redis.error_reply('UNLISTED ' .. stored .. ' is the last stamp that counts no more') end

local function takeOff(state, field, stamp)
  if not isTakenOff(redis.call('HGET', state, field), stamp) then redis.call('HSET', state, field, stamp) end
end
`
