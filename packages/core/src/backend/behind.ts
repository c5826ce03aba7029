import { Effect } from "effect"
import type { FeedAdmin, StoreHead } from "./FeedAdmin.ts"
import type { StorageError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"
import type { StoreProgress } from "./StoreProgress.ts"

/** Stores that are compared at a time. */
const pageSize = 256

/**
 * `StoreProgress.behind` where cursors are kept apart from the feeds: the heads of all stores are compared with their cursors.
 */
export const compareAll = (
  admin: FeedAdmin["Service"],
  cursors: StoreProgress["Service"]["cursors"]
): StoreProgress["Service"]["behind"] => {
  const isBehind = Effect.fnUntraced(function* (
    heads: ReadonlyArray<StoreHead>
  ): Effect.fn.Return<ReadonlyArray<StoreId>, StorageError> {
    const found = yield* cursors(heads.map(({ storeId }) => storeId))
    return heads.filter(({ head }, index) => found[index] !== head).map(({ storeId }) => storeId)
  })
  return Effect.fnUntraced(function* (after: StoreId | undefined, limit: number) {
    const behind: Array<StoreId> = []
    for (let last = after; behind.length < limit; ) {
      const heads = yield* admin.heads(last, pageSize)
      behind.push(...(yield* isBehind(heads)))
      last = heads.at(-1)?.storeId
      if (heads.length < pageSize) break
    }
    return behind.slice(0, limit)
  })
}
