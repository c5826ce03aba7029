import { type FeedAdmin, StorageError, type StoreHead, type StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { attempt } from "../errors.ts"
import { pageOf } from "../lists/pageOf.ts"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"
import { eraseScript, unlistScript } from "./erase.lua.ts"

const headScript = script(`
local stored = redis.call('HMGET', KEYS[1], 'head', 'cursor')
return { tonumber(stored[1] or 0), tonumber(stored[2] or 0) }
`)

/** The head of a listed store. One that was erased, or never got its first entry, has none. */
const headOf = async ({ keys, redis }: RedisNode, storeId: StoreId): Promise<StoreHead | undefined> => {
  const reply = (await run(redis, headScript, [keys.store(storeId).state], [])) as ReadonlyArray<unknown>
  const [head = 0, processed = 0] = reply.map(Number)
  return head === 0 ? undefined : { storeId, head, processed }
}

const erase = async ({ keys, redis, wakeups }: RedisNode, storeId: StoreId): Promise<void> => {
  const { state, ...others } = keys.store(storeId)
  const channel = keys.channel(storeId)
  await wakeups.tell(storeId, async (message) => {
    await run(redis, eraseScript, [state, ...Object.values(others)], [channel, message])
    return {}
  })
  const { behind, failing, retrying, stores } = keys
  const lists = [behind, failing, retrying].flatMap(({ names, stamps }) => [names, stamps])
  await run(redis, unlistScript, [stores, ...lists], [storeId])
}

/** A read-only replica, full memory and a user without rights show here, too: reading the id is a script that may write it. */
const advice = "See whether Redis is running and takes writes, and whether the client has the right address and user"

/** A `FeedAdmin` on Redis. */
export const makeFeedAdmin = (node: RedisNode): FeedAdmin["Service"] => ({
  id: attempt("FeedAdmin.id", () => node.identity.read()),
  rotateId: (expected) => attempt("FeedAdmin.rotateId", () => node.identity.rotate(expected)),
  check: Effect.mapError(
    attempt("FeedAdmin.check", () => node.identity.read()),
    ({ cause, operation, retryable }) => new StorageError({ operation, retryable, cause, advice })
  ),
  heads: (after, limit) =>
    attempt("FeedAdmin.heads", () =>
      pageOf(node.redis, node.keys.stores, after, limit, (storeId) => headOf(node, storeId as StoreId))
    ),
  erase: (storeId) => attempt("FeedAdmin.erase", () => erase(node, storeId))
})
