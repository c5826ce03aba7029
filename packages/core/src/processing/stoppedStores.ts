import { Data, Effect, Metric } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
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

/**
 * Processing of the store stopped on this node, since its feed went backwards. It goes on when an operator has moved the
 * cursor back to where the feed and what handlers made of it agree, or when the server starts again.
 */
export class ProcessingStoppedError extends Data.TaggedError("ProcessingStoppedError")<FeedMismatch> {
  override get message(): string {
    return `Store "${this.storeId}" was processed up to ${this.cursor}, but its feed ends at ${this.head}`
  }
}

/** The stores whose processing this node stopped. */
export interface StoppedStores {
  readonly mismatches: ReadonlyMap<StoreId, FeedMismatch>
  /** Whether the store is stopped, given its cursor as it is now: one that was moved back lets it go on. */
  readonly holds: (storeId: StoreId, cursor: number) => boolean
  /** Stops a store: logs and reports it. */
  readonly add: (mismatch: FeedMismatch) => Effect.Effect<void>
}

/** What is remembered at most; beyond it the store that stopped first is forgotten, and reported again when it is met. */
const maxStopped = 10_000

export const makeStoppedStores = (onFeedMismatch: (mismatch: FeedMismatch) => unknown): StoppedStores => {
  const stopped = new Map<StoreId, FeedMismatch>()

  const remember = (mismatch: FeedMismatch): void => {
    stopped.set(mismatch.storeId, mismatch)
    const [oldest] = stopped.keys()
    if (stopped.size > maxStopped && oldest !== undefined) stopped.delete(oldest)
  }

  return {
    mismatches: stopped,
    holds: (storeId, cursor) => {
      const mismatch = stopped.get(storeId)
      if (mismatch === undefined) return false
      if (cursor >= mismatch.cursor) return true
      stopped.delete(storeId)
      return false
    },
    add: (mismatch) =>
      Effect.suspend(() => {
        remember(mismatch)
        return Effect.logError("Processing stopped", new ProcessingStoppedError(mismatch))
      }).pipe(
        Effect.andThen(Metric.update(stoppedStores, 1)),
        Effect.andThen(callContained("onFeedMismatch", onFeedMismatch, mismatch))
      )
  }
}
