import { Effect } from "effect"
import type { FeedStore } from "../ports/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../ports/StorageError.ts"
import type { StoreId } from "../ports/StoreId.ts"

/** The last sequence of a store. The page that begins beyond every feed tells it, and carries no entries. */
export const readHead = (
  feeds: FeedStore["Service"],
  storeId: StoreId
): Effect.Effect<number, StorageError | StoreErasedError> =>
  Effect.map(feeds.read(storeId, Number.MAX_SAFE_INTEGER, { maxEntries: 1, maxBytes: 1 }), ({ head }) => head)
