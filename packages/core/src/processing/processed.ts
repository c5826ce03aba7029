import { Effect } from "effect"
import { StorageError, type StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { backOff } from "./backoff.ts"
import type { Environment } from "./environment.ts"
import { readHead } from "./head.ts"
import { ProcessingStoppedError } from "./stoppedStores.ts"

/** How often the cursor is looked at for what other nodes processed. */
const pollDelays = { min: 25, max: 2_000 }

/** Whether everything up to `sequence` was processed; fails when that can't happen any more. */
const isReached = Effect.fnUntraced(function* (
  { feeds, progress, stopped }: Environment,
  storeId: StoreId,
  sequence: number
): Effect.fn.Return<boolean, StorageError | StoreErasedError | ProcessingStoppedError> {
  const [cursor = 0] = yield* progress.cursors([storeId])
  if (cursor >= sequence) return true
  const mismatch = stopped.get(storeId)
  if (mismatch !== undefined) return yield* new ProcessingStoppedError(mismatch)
  // Only the feed knows that a store was erased.
  yield* readHead(feeds, storeId)
  return false
})

/**
 * Waits until everything up to `sequence` was processed, by whichever node. A backend that is away for now is waited for;
 * a `StorageError` that a retry can't mend fails.
 */
export const awaitProcessed = (
  environment: Environment,
  storeId: StoreId,
  sequence: number,
  look: Effect.Effect<void>
): Effect.Effect<void, StorageError | StoreErasedError | ProcessingStoppedError> =>
  Effect.gen(function* () {
    const arrival = yield* environment.arrivals.at(storeId, sequence)
    for (let attempt = 0; ; attempt++) {
      const isProcessed = yield* isReached(environment, storeId, sequence).pipe(
        Effect.catchIf(
          (error): error is StorageError => error instanceof StorageError && error.retryable,
          () => Effect.succeed(false)
        )
      )
      if (isProcessed) return
      if (attempt === 0) yield* look
      const hasArrived = yield* Effect.raceFirst(
        Effect.as(arrival, true),
        Effect.as(backOff(pollDelays, attempt), false)
      )
      if (hasArrived) return
    }
  }).pipe(Effect.scoped)
