import { script } from "../script.ts"

/** Erases a store, and leaves a tombstone. The memory is given back in the background. */
export const eraseScript = script(`
local state = KEYS[1]
local channel, message = unpack(ARGV)
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', state, 'erased', 1)
redis.call('PUBLISH', channel, message)
`)

/** Takes an erased store off every list: nothing can be given to it any more. */
export const unlistScript = script(`
local stores, behind, behindStamps, failing, failingStamps = unpack(KEYS)
for _, names in ipairs({ stores, behind, failing }) do redis.call('ZREM', names, ARGV[1]) end
for _, stamps in ipairs({ behindStamps, failingStamps }) do redis.call('HDEL', stamps, ARGV[1]) end
`)
