import { Effect } from "effect"
import type { FeedAdmin } from "../backend/FeedAdmin.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Environment } from "./environment.ts"
import { untilAnswered } from "./outage.ts"

/** Stores that are compared at a time. */
const pageSize = 256

/**
 * Compares the heads of all stores with their cursors and has those looked at that differ, a few at a time. A cursor
 * beyond its head may only be newer than it; whoever looks finds out.
 */
export const sweep = Effect.fnUntraced(function* (
  { options, progress, turns }: Environment,
  admin: FeedAdmin["Service"],
  look: (storeId: StoreId) => void
) {
  const patiently = untilAnswered(options.outageRetry)
  let after: StoreId | undefined
  while (true) {
    const heads = yield* patiently(admin.heads(after, pageSize))
    if (heads.length === 0) return
    const cursors = yield* patiently(progress.cursors(heads.map(({ storeId }) => storeId)))
    for (const [index, { head, storeId }] of heads.entries()) {
      after = storeId
      if (cursors[index] === head) continue
      yield* turns.room
      look(storeId)
      // What was looked at has to queue up before there is room for the next one.
      yield* Effect.yieldNow
    }
  }
})
