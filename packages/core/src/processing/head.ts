import { Effect } from "effect"
import type { FeedStore } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"

/** The last sequence of a store. The page that begins beyond every feed tells it, and carries no entries. */
export const readHead = (
  feeds: FeedStore["Service"],
  storeId: StoreId
): Effect.Effect<number, StorageError | StoreErasedError> =>
  Effect.map(feeds.read(storeId, Number.MAX_SAFE_INTEGER, { maxEntries: 1, maxBytes: 1 }), ({ head }) => head)
