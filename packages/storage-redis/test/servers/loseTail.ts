import type { FeedEntry, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { redisBackend } from "../../src/index.ts"
import { makeKeys } from "../../src/keys.ts"
import { type Node, openNode } from "../node.ts"
import { wholePage } from "../records.ts"

/** What it needs of a client. */
interface Client {
  readonly eval: (script: string, keys: number, ...rest: Array<string>) => Promise<unknown>
}

const prefix = "shorter:"

/** Puts the shorter feed in place of the other, in one step, and the cursor back to its head. */
const replaceScript = `
local head = tonumber(redis.call('HGET', KEYS[2], 'head') or 0)
for i = 3, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  if redis.call('EXISTS', KEYS[i + 1]) == 1 then redis.call('RENAME', KEYS[i + 1], KEYS[i]) end
end
for _, field in ipairs({ 'head', 'chunks', 'greatest' }) do
  local value = redis.call('HGET', KEYS[2], field)
  if value then redis.call('HSET', KEYS[1], field, value) else redis.call('HDEL', KEYS[1], field) end
end
if tonumber(redis.call('HGET', KEYS[1], 'cursor') or 0) > head then redis.call('HSET', KEYS[1], 'cursor', head) end
redis.call('DEL', KEYS[2])
`

const readAll = async ({ feeds }: Node, storeId: StoreId): Promise<ReadonlyArray<FeedEntry>> => {
  const all: Array<FeedEntry> = []
  while (true) {
    const { entries, head } = await Effect.runPromise(feeds.read(storeId, all.length + 1, wholePage))
    all.push(...entries)
    if (all.length >= head) return all
  }
}

/** Takes the last entries from a store, as a replica would that had not got them when it took over. */
export const loseTail = async (
  redis: Client & Parameters<typeof redisBackend>[0]["redis"],
  storeId: StoreId,
  count: number
): Promise<void> => {
  const [node, shorter] = [
    await openNode(redisBackend({ redis }).layer),
    await openNode(redisBackend({ redis, prefix }).layer)
  ]
  const entries = await readAll(node, storeId)
  await Effect.runPromise(shorter.feeds.append(storeId, entries.slice(0, Math.max(0, entries.length - count))))
  await node.close()
  await shorter.close()
  // Both have the same hash tag.
  const [to, from] = [makeKeys("eventlog:").store(storeId), makeKeys(prefix).store(storeId)]
  const moved = (["feed", "ids", "buckets", "events"] as const).flatMap((name) => [to[name], from[name]])
  const keys = [to.state, from.state, ...moved]
  await redis.eval(replaceScript, keys.length, ...keys)
}
