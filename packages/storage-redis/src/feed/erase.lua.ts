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
redis.call('ZREM', KEYS[1], ARGV[1])
for i = 2, #KEYS, 2 do
  redis.call('ZREM', KEYS[i], ARGV[1])
  redis.call('HDEL', KEYS[i + 1], ARGV[1])
end
`)
