import type { FeedAdmin, StoreHead, StoreId } from "@eventlog-server/core"
import { attempt } from "../errors.ts"
import { pageOf } from "../listing.ts"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"
import { eraseScript } from "./erase.lua.ts"

const headScript = script(`return tonumber(redis.call('HGET', KEYS[1], 'head') or 0)`)

/** The head of a listed store. One that was erased, or never got its first entry, has none. */
const headOf = async ({ keys, redis }: RedisNode, storeId: StoreId): Promise<StoreHead | undefined> => {
  const head = Number(await run(redis, headScript, [keys.store(storeId).state], []))
  return head === 0 ? undefined : { storeId, head }
}

const unlistScript = script(`return redis.call('ZREM', KEYS[1], ARGV[1])`)

const erase = async ({ keys, redis, seen, wakeups }: RedisNode, storeId: StoreId): Promise<void> => {
  const { buckets, feed, ids, state } = keys.store(storeId)
  const channel = keys.channel(storeId)
  await wakeups.tell(channel, (message) => run(redis, eraseScript, [feed, ids, buckets, state], [channel, message]))
  seen.take(storeId)
  await run(redis, unlistScript, [keys.stores], [storeId])
}

/** A `FeedAdmin` on Redis. */
export const makeFeedAdmin = (node: RedisNode): FeedAdmin["Service"] => ({
  heads: (after, limit) =>
    attempt("FeedAdmin.heads", () =>
      pageOf(node.redis, node.keys.stores, after, limit, (storeId) => headOf(node, storeId as StoreId))
    ),
  erase: (storeId) => attempt("FeedAdmin.erase", () => erase(node, storeId)),
  rotateId: attempt("FeedAdmin.rotateId", () => node.identity.rotate())
})
