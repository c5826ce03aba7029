import type { FeedHead, StoreId } from "@eventlog-server/core/backend"
import type { EventJournal } from "effect/eventlog"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"

const headScript = script(`
local stored = redis.call('HMGET', KEYS[1], 'erased', 'head', 'greatest')
if stored[1] then return redis.error_reply('ERASED The store was erased') end
return { tonumber(stored[2] or 0), stored[3] }
`)

/** The head and the greatest id, which every append keeps. */
export const head = async ({ keys, redis }: RedisNode, storeId: StoreId): Promise<FeedHead> => {
  const reply = await run(redis, headScript, [keys.store(storeId).state], [])
  const [sequence, id] = reply as readonly [sequence: unknown, id: Buffer | null]
  return {
    sequence: Number(sequence),
    greatestId: id === null ? undefined : (new Uint8Array(id) as EventJournal.EntryId)
  }
}
