import { Effect, Option, Stream } from "effect"
import type { FeedEntry, FeedStore, PageLimits } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"

/**
 * The entries of a store from `from` (inclusive; 0 is 1) up to `to`, by default up to the head when the reading began,
 * page by page.
 */
export const readFeed = (
  store: FeedStore["Service"],
  limits: PageLimits,
  options: { readonly storeId: StoreId; readonly from: number; readonly to?: number | undefined }
): Stream.Stream<FeedEntry, StorageError | StoreErasedError | FeedLostError> =>
  Stream.paginate({ next: Math.max(1, options.from), to: options.to }, ({ next, to }) =>
    Effect.map(store.read(options.storeId, next, limits), ({ entries, head }) => {
      const last = Math.min(to ?? head, head)
      const wanted = entries.filter((entry) => entry.remoteSequence <= last)
      const after = next + wanted.length
      return [
        wanted,
        wanted.length > 0 && after <= last ? Option.some({ next: after, to: last }) : Option.none()
      ] as const
    })
  )
