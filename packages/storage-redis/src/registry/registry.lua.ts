import { script } from "../script.ts"

const notMapped = `redis.error_reply('NOTMAPPED The key belongs to no store')`

/** Puts a key on the list of all keys. It stays there when it is removed, since it may come back. */
export const listScript = script(`return redis.call('ZADD', KEYS[1], 0, ARGV[1])`)

/** Answers the store and the signing key, which may be nothing, of a key that is mapped; nothing otherwise. */
export const readScript = script(`
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store', 'signing')
if mapping[1] or not mapping[2] then return false end
return { mapping[2], mapping[3] }
`)

/** Maps a key to a store, and binds a signing key if one is given. */
export const assignScript = script(`
local store, signing = unpack(ARGV)
local known = redis.call('HGET', KEYS[1], 'store')
if known and known ~= store then return redis.error_reply('ASSIGNED The key belongs to another store') end
redis.call('HSET', KEYS[1], 'store', store)
redis.call('HDEL', KEYS[1], 'removed')
if signing ~= '' then redis.call('HSET', KEYS[1], 'signing', signing) end
`)

/** Maps and binds a key that was never mapped, and answers the mapping in force. */
export const enrollScript = script(`
local store, signing = unpack(ARGV)
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store', 'signing')
if mapping[1] then return ${notMapped} end
if mapping[2] then return { mapping[2], mapping[3] } end
redis.call('HSET', KEYS[1], 'store', store, 'signing', signing)
return { store, signing }
`)

/** Binds a signing key to a mapped key that has none, and answers the one that is bound. */
export const bindScript = script(`
local mapping = redis.call('HMGET', KEYS[1], 'removed', 'store')
if mapping[1] or not mapping[2] then return ${notMapped} end
redis.call('HSETNX', KEYS[1], 'signing', ARGV[1])
return redis.call('HGET', KEYS[1], 'signing')
`)

/** Ends a key's mapping; its store and signing key are remembered. */
export const removeScript = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'removed', 1) end
`)
