import { Effect } from "effect"
import type { FeedAdmin } from "../backend/FeedAdmin.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Processing } from "../processing/processing.ts"

/** Stores that are listed at a time. */
const pageSize = 256

/** Which entries handlers are to see again. */
interface Reprocessed {
  /** @default all stores */
  readonly storeId?: StoreId | undefined
  /** The sequence of the first one. @default 1 */
  readonly from?: number | undefined
}

/** Has handlers see entries again, of one store or of all; returns of how many. */
export const reprocess = Effect.fnUntraced(function* (
  admin: FeedAdmin["Service"],
  processing: Processing["Service"],
  { from = 1, storeId }: Reprocessed
): Effect.fn.Return<number, StorageError> {
  const to = Math.max(0, from - 1)
  if (storeId !== undefined) return yield* Effect.as(processing.rewind(storeId, to), 1)
  let count = 0
  for (let last: StoreId | undefined; ; ) {
    const heads = yield* admin.heads(last, pageSize)
    for (const head of heads) yield* processing.rewind(head.storeId, to)
    count += heads.length
    last = heads.at(-1)?.storeId
    if (heads.length < pageSize) return count
  }
})
