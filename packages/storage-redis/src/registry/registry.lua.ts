import { eachScript } from "../calls/eachScript.ts"
import { script } from "../script.ts"

const notMapped = `redis.error_reply('NOTMAPPED The key belongs to no store')`

/** Puts a key on a list of keys. It stays there when it is removed, since it may come back. */
export const listScript = script(`return redis.call('ZADD', KEYS[1], 0, ARGV[1])`)

/** Returns the store and the signing key, which may be nothing, of a key that is mapped; nothing otherwise. */
export const readScript = eachScript(`
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store', 'signing')
if mapping[1] or not mapping[2] then return false end
return { mapping[2], mapping[3] }
`)

/** Maps a key to a store, and binds a signing key if one is given. Publishes a change of a key that was mapped before. */
export const assignScript = script(`
local channel, publicKey, store, signing = unpack(ARGV)
local known = redis.call('HMGET', KEYS[1], 'store', 'removed', 'signing')
if known[1] and known[1] ~= store then return redis.error_reply('ASSIGNED The key belongs to another store') end
if not known[1] then redis.call('HSET', KEYS[1], 'store', store) end
local isOther = signing ~= '' and signing ~= known[3]
if isOther then redis.call('HSET', KEYS[1], 'signing', signing) end
if known[2] then redis.call('HDEL', KEYS[1], 'removed') end
if known[1] and (known[2] or isOther) then redis.call('PUBLISH', channel, publicKey) end
`)

/** Maps and binds a key that was never mapped, and returns the mapping in force. */
export const enrollScript = script(`
local store, signing = unpack(ARGV)
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store', 'signing')
if mapping[1] then return ${notMapped} end
if mapping[2] then return { mapping[2], mapping[3] } end
redis.call('HSET', KEYS[1], 'store', store, 'signing', signing)
return { store, signing }
`)

/**
 * Binds a signing key to a mapped key that has none, and returns the one that is bound. Every check of a connection
 * runs it: where a signing key is bound it only reads.
 */
export const bindScript = eachScript(`
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store', 'signing')
if mapping[1] or not mapping[2] then return ${notMapped} end
if mapping[3] then return mapping[3] end
redis.call('HSET', KEYS[1], 'signing', ARGV[1])
return ARGV[1]
`)

/** Ends a key's mapping, which is published; its store and signing key are remembered. */
export const removeScript = script(`
local channel, publicKey = unpack(ARGV)
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store')
if mapping[1] or not mapping[2] then return end
redis.call('HSET', KEYS[1], 'removed', 1)
redis.call('PUBLISH', channel, publicKey)
`)
