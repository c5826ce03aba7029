import { script } from "../script.ts"

/** Erases a store, and leaves a tombstone. The memory is given back in the background. */
export const eraseScript = script(`
local feed, ids, buckets, state = unpack(KEYS)
local channel, message = unpack(ARGV)
redis.call('UNLINK', feed, ids, buckets, state)
redis.call('HSET', state, 'erased', 1)
redis.call('PUBLISH', channel, message)
`)
