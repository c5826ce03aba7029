import { Data, Effect, Metric } from "effect"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"
import { callContained } from "../containment/callContained.ts"
import { stoppedStores } from "./metrics.ts"

/** A store whose feed went backwards: more was processed than it holds. A backup was restored, or data was lost. */
export interface FeedMismatch {
  readonly storeId: StoreId
  /** The sequence up to which entries were processed. */
  readonly cursor: number
  /** The last sequence that the feed holds. */
  readonly head: number
}

/** A store in which another entry failed, and that has as many failures already as are kept. */
export interface TooManyFailures {
  readonly storeId: StoreId
  /** The sequence up to which entries were processed: the next one failed. */
  readonly cursor: number
  /** The failures that the store has. */
  readonly failures: number
}

type Stop = FeedMismatch | TooManyFailures

const isMismatch = (stop: Stop): stop is FeedMismatch => "head" in stop

/**
 * Processing of the store stopped on this node, since its feed went backwards, or since it has all the failures that are kept.
 * It goes on when an operator has moved the cursor back to where the feed and what handlers made of it agree; when there is room
 * for failures again; or when the server starts again.
 */
export class ProcessingStoppedError extends Data.TaggedError("ProcessingStoppedError")<{
  readonly storeId: StoreId
  readonly cursor: number
  readonly reason: "FeedMismatch" | "TooManyFailures"
  readonly message: string
}> {}

/** The error that tells of a stop. */
export const stoppedError = (stop: Stop): ProcessingStoppedError => {
  const { cursor, storeId } = stop
  const why = isMismatch(stop)
    ? `but its feed ends at ${stop.head}`
    : `where the next entry failed; it has ${stop.failures} failures already, which have to be tried again or discarded`
  const reason = isMismatch(stop) ? "FeedMismatch" : "TooManyFailures"
  return new ProcessingStoppedError({
    storeId,
    cursor,
    reason,
    message: `Store "${storeId}" was processed up to ${cursor}, ${why}`
  })
}

/** The stores whose processing this node stopped. */
export interface StoppedStores {
  readonly stops: ReadonlyMap<StoreId, Stop>
  /** Whether the store is stopped, given its cursor as it is now: one that was moved back, or has room, lets it go on. */
  readonly holds: (storeId: StoreId, cursor: number) => Effect.Effect<boolean, StorageError>
  /** Stops a store: logs and reports it. */
  readonly add: (stop: Stop) => Effect.Effect<void>
}

/** What stops are decided by. */
export interface StoppedStoresOptions {
  readonly progress: StoreProgress["Service"]
  readonly maxFailures: number
  readonly onFeedMismatch: (mismatch: FeedMismatch) => unknown
  readonly onTooManyFailures: (stop: TooManyFailures) => unknown
}

/** What is remembered at most; beyond it the store that stopped first is forgotten, and reported again when it is met. */
const maxStopped = 10_000

export const makeStoppedStores = (options: StoppedStoresOptions): StoppedStores => {
  const { maxFailures, onFeedMismatch, onTooManyFailures, progress } = options
  const stopped = new Map<StoreId, Stop>()

  const remember = (stop: Stop): void => {
    stopped.set(stop.storeId, stop)
    const [oldest] = stopped.keys()
    if (stopped.size > maxStopped && oldest !== undefined) stopped.delete(oldest)
  }

  const isHeld = (stop: Stop, cursor: number): Effect.Effect<boolean, StorageError> =>
    isMismatch(stop)
      ? Effect.succeed(cursor >= stop.cursor)
      : Effect.map(progress.failures.record(stop.storeId, []), (kept) => kept >= maxFailures)

  const tell = (stop: Stop): Effect.Effect<void> =>
    isMismatch(stop)
      ? callContained("onFeedMismatch", onFeedMismatch, stop)
      : callContained("onTooManyFailures", onTooManyFailures, stop)

  return {
    stops: stopped,
    holds: (storeId, cursor) => {
      const stop = stopped.get(storeId)
      if (stop === undefined) return Effect.succeed(false)
      return Effect.map(isHeld(stop, cursor), (holds) => {
        if (!holds) stopped.delete(storeId)
        return holds
      })
    },
    add: (stop) =>
      Effect.suspend(() => {
        remember(stop)
        return Effect.logError("Processing stopped", stoppedError(stop))
      }).pipe(Effect.andThen(Metric.update(stoppedStores, 1)), Effect.andThen(tell(stop)))
  }
}
