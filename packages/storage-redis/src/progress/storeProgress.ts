import type { StoreProgress } from "@eventlog-server/core"
import { attempt } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"
import { raiseCutoffs } from "./cutoffs.ts"
import { takeLease } from "./lease.ts"

const cursorScript = script(`return tonumber(redis.call('HGET', KEYS[1], 'cursor') or 0)`)

/** A `StoreProgress` on Redis. @param leaseMillis how long a lease lives that nobody renews */
export const makeStoreProgress = (node: RedisNode, leaseMillis: number): StoreProgress["Service"] => ({
  lease: (storeId) => takeLease(node, storeId, leaseMillis),
  // Each cursor has a key, and on a cluster a server, of its own.
  cursors: (storeIds) =>
    attempt("StoreProgress.cursors", () =>
      Promise.all(
        storeIds.map(async (storeId) =>
          Number(await run(node.redis, cursorScript, [node.keys.store(storeId).state], []))
        )
      )
    ),
  raiseCutoffs: (storeId, requests) =>
    attempt("StoreProgress.raiseCutoffs", () => raiseCutoffs(node, storeId, requests))
})
