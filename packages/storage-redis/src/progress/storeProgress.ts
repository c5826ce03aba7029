import type { StoreProgress } from "@eventlog-server/core/backend"
import { eachScript } from "../calls/eachScript.ts"
import { attempt } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { behind } from "./behind.ts"
import { raiseCutoffs } from "./cutoffs.ts"
import { makeFailures } from "./failures.ts"
import { takeLease, wantRewound } from "./lease.ts"

const cursorScript = eachScript(`
local stored = redis.call('HMGET', KEYS[1], 'cursor', 'rewind')
local cursor = tonumber(stored[1] or 0)
return math.min(cursor, tonumber(stored[2] or cursor))
`)

/** A `StoreProgress` on Redis. @param leaseMillis how long a lease lives that nobody renews */
export const makeStoreProgress = (node: RedisNode, leaseMillis: number): StoreProgress["Service"] => ({
  lease: (storeId) => takeLease(node, storeId, leaseMillis),
  cursors: (storeIds) =>
    attempt("StoreProgress.cursors", () =>
      Promise.all(
        storeIds.map(async (storeId) =>
          Number(await node.calls.run(cursorScript, [node.keys.store(storeId).state], []))
        )
      )
    ),
  behind: (after, limit) => attempt("StoreProgress.behind", () => behind(node, after, limit)),
  rewind: (storeId, to) => wantRewound(node, storeId, to),
  raiseCutoffs: (storeId, requests) =>
    attempt("StoreProgress.raiseCutoffs", () => raiseCutoffs(node, storeId, requests)),
  failures: makeFailures(node)
})
