import { Effect, Layer, Option, type Scope } from "effect"
import { compareAll } from "../backend/behind.ts"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { FeedStore, type KnownEntry } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type Lease, StoreProgress } from "../backend/StoreProgress.ts"
import { makeProgressState } from "./MemoryState.ts"
import { makeProgress } from "./storeProgress.ts"

/**
 * Progress that lives as long as the server: each build of the layer starts at 0, so that every node replays every store
 * from its first entry. It is for apps whose projections live in memory too, in place of the backend's own progress. Where
 * a feed lost entries that were processed, its store is replayed from the first entry again.
 *
 * It holds a number for each store that was ever processed, also for those erased since.
 */
export const memoryProgress: Layer.Layer<StoreProgress, never, FeedStore | FeedAdmin> = Layer.effect(
  StoreProgress,
  Effect.gen(function* () {
    const feeds = yield* FeedStore
    const admin = yield* FeedAdmin
    const state = makeProgressState(new Set())
    const processed = new Map<StoreId, KnownEntry>()
    // The feed may be far away: it is asked when a lease is taken, and whoever reads on is told in between.
    const progress = makeProgress(state, () => true)

    /** Forgets a cursor whose entry is gone. */
    const verify = (storeId: StoreId): Effect.Effect<void, StorageError> => {
      const known = processed.get(storeId)
      if (known === undefined) return Effect.void
      return feeds.read(storeId, known.sequence + 1, { maxEntries: 1, maxBytes: 1 }, known).pipe(
        Effect.catchTag("FeedLostError", () =>
          Effect.sync(() => {
            processed.delete(storeId)
            state.cursors.delete(storeId)
          })
        ),
        Effect.catchTag("StoreErasedError", () => Effect.void),
        Effect.asVoid
      )
    }

    const remembering = (storeId: StoreId, lease: Lease): Lease => ({
      ...lease,
      advance: (entry) =>
        Effect.tap(lease.advance(entry), () =>
          Effect.sync(() => {
            const before = processed.get(storeId)?.sequence ?? 0
            if (entry.sequence > before) processed.set(storeId, { ...entry, id: entry.id.slice() })
          })
        )
    })

    const lease = (storeId: StoreId): Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope> =>
      Effect.andThen(
        verify(storeId),
        Effect.map(
          progress.lease(storeId),
          Option.map((lease) => remembering(storeId, lease))
        )
      )

    return { ...progress, lease, behind: compareAll(admin, progress.cursors) }
  })
)
