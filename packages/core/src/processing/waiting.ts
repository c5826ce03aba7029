import { Deferred, Effect, type Scope } from "effect"
import type { FeedStore } from "../backend/FeedStore.ts"
import { StorageError, type StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"
import { backOff } from "./patience.ts"
import { type ProcessingStoppedError, type StoppedStores, stoppedError } from "./stoppedStores.ts"

interface Waiter {
  readonly sequence: number
  readonly arrived: Deferred.Deferred<void>
}

/** Tells those who wait for a store's handlers that they ran on this node. */
export interface Arrivals {
  /** An effect that ends when this node has processed everything up to `sequence`, from now until the scope closes. */
  readonly at: (storeId: StoreId, sequence: number) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
  /** Everything up to `sequence` was processed. */
  readonly reached: (storeId: StoreId, sequence: number) => void
  /** Stores that somebody waits for. */
  readonly size: () => number
}

const none: ReadonlyArray<Waiter> = []

export const makeArrivals = (): Arrivals => {
  const stores = new Map<StoreId, Set<Waiter>>()

  const add = (storeId: StoreId, waiter: Waiter): void => {
    const waiters = stores.get(storeId)
    if (waiters === undefined) stores.set(storeId, new Set([waiter]))
    else waiters.add(waiter)
  }

  const remove = (storeId: StoreId, waiter: Waiter): void => {
    const waiters = stores.get(storeId)
    waiters?.delete(waiter)
    if (waiters?.size === 0) stores.delete(storeId)
  }

  return {
    at: (storeId, sequence) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const waiter = { sequence, arrived: Deferred.makeUnsafe<void>() }
          add(storeId, waiter)
          return waiter
        }),
        (waiter) => Effect.sync(() => remove(storeId, waiter))
      ).pipe(Effect.map(({ arrived }) => Deferred.await(arrived))),
    reached: (storeId, reached) => {
      // Whoever is told leaves the others at their places.
      for (const { arrived, sequence } of stores.get(storeId) ?? none) {
        if (sequence <= reached) Deferred.doneUnsafe(arrived, Effect.void)
      }
    },
    size: () => stores.size
  }
}

/** What tells how far a store was processed, and whether it will be. */
export interface Cursors {
  readonly feeds: FeedStore["Service"]
  readonly progress: StoreProgress["Service"]
  readonly stopped: StoppedStores
  readonly arrivals: Arrivals
  /** See `StoreLoops.reached`. */
  readonly reached: (storeId: StoreId) => number | undefined
}

/** How often the backend's cursor is looked at for what other nodes processed. */
const pollDelays = { min: 25, max: 2_000 }

/** Whether everything up to `sequence` was processed; fails when that can't happen any more. */
const isReached = Effect.fnUntraced(function* (
  { feeds, progress, reached, stopped }: Cursors,
  storeId: StoreId,
  sequence: number
): Effect.fn.Return<boolean, StorageError | StoreErasedError | ProcessingStoppedError> {
  const here = reached(storeId)
  if (here !== undefined && here >= sequence) return true
  const [cursor = 0] = yield* progress.cursors([storeId])
  if (cursor >= sequence) return true
  const stop = stopped.stops.get(storeId)
  if (stop !== undefined) return yield* stoppedError(stop)
  // Only the feed knows that a store was erased.
  yield* feeds.head(storeId)
  return false
})

/**
 * Waits until everything up to `sequence` was processed, by whichever node. A backend that is away for now is waited for;
 * a `StorageError` that a retry can't mend fails.
 *
 * @param look has this node look at the store, which nobody may have told it of
 */
export const awaitProcessed = (
  cursors: Cursors,
  storeId: StoreId,
  sequence: number,
  look: () => void
): Effect.Effect<void, StorageError | StoreErasedError | ProcessingStoppedError> =>
  Effect.gen(function* () {
    const arrival = yield* cursors.arrivals.at(storeId, sequence)
    for (let attempt = 0; ; attempt++) {
      const isProcessed = yield* isReached(cursors, storeId, sequence).pipe(
        Effect.catchIf(
          (error): error is StorageError => error instanceof StorageError && error.retryable,
          () => Effect.succeed(false)
        )
      )
      if (isProcessed) return
      if (attempt === 0) look()
      const hasArrived = yield* Effect.raceFirst(
        Effect.as(arrival, true),
        Effect.as(backOff(pollDelays, attempt), false)
      )
      if (hasArrived) return
    }
  }).pipe(Effect.scoped)
