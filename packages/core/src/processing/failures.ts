import { Cause, Data, Effect, Metric } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Author, FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { FailureReason } from "../backend/StoreProgress.ts"
import { callContained } from "../containment/callContained.ts"
import type { LogQuota } from "../containment/logQuota.ts"
import { handlerFailures } from "./metrics.ts"

/** A handler ran longer than `handlerTimeout`. */
export class HandlerTimeoutError extends Data.TaggedError("HandlerTimeoutError")<{
  readonly event: string
  readonly millis: number
}> {
  override get message(): string {
    return `The handler of "${this.event}" did not end within ${this.millis} ms`
  }
}

/** A payload that its event's schema can't read, such as one that a newer version of the app wrote. */
export class UndecodablePayloadError extends Data.TaggedError("UndecodablePayloadError")<{
  readonly event: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `The payload of a "${this.event}" can't be decoded: ${String(this.cause)}`
  }
}

/**
 * An entry came late, and more entries of its event and primary key are newer than a handler may be given. It isn't run with
 * some of them, since what it makes of those differs from what devices make of all.
 */
export class TooManyConflictsError extends Data.TaggedError("TooManyConflictsError")<{
  readonly event: string
  readonly maxConflicts: number
  readonly maxBytes: number
}> {
  override get message(): string {
    return `A "${this.event}" has more than ${this.maxConflicts} conflicts, or conflicts of more than ${this.maxBytes} bytes`
  }
}

/** An entry whose handler failed. It counts as processed: no entry holds up those behind it. */
export interface HandlerFailure {
  readonly storeId: StoreId
  readonly entry: EventJournal.Entry
  readonly sequence: number
  readonly author: Author
  readonly reason: FailureReason
  /**
   * The error that the handler failed with or threw, a `HandlerTimeoutError`, an `UndecodablePayloadError` or a
   * `TooManyConflictsError`.
   */
  readonly cause: unknown
}

/** Tells of entries whose handlers failed. */
export interface FailureReports {
  /** Logs a failure, counts it, and tells the app. It never fails. */
  readonly report: (storeId: StoreId, feedEntry: FeedEntry, cause: Cause.Cause<unknown>) => Effect.Effect<void>
  /** How many handlers failed so far. */
  readonly count: () => number
}

const reasonOf = (error: unknown): FailureReason => {
  if (error instanceof HandlerTimeoutError) return "TimedOut"
  if (error instanceof TooManyConflictsError) return "TooManyConflicts"
  return error instanceof UndecodablePayloadError ? "Undecodable" : "Failed"
}

/** @param quota a device may write as many entries that fail as it likes: not each of them is worth a line */
export const makeFailureReports = (
  onHandlerFailure: (failure: HandlerFailure) => unknown,
  quota: LogQuota
): FailureReports => {
  let count = 0
  return {
    report: (storeId, { author, entry, remoteSequence }, cause) => {
      const error = Cause.squash(cause)
      const reason = reasonOf(error)
      const failure = { storeId, entry, sequence: remoteSequence, author, reason, cause: error }
      return Effect.sync(() => void count++).pipe(
        Effect.andThen(quota.log(Effect.logError("An event handler failed", cause))),
        Effect.andThen(Metric.update(handlerFailures.pipe(Metric.withAttributes({ reason })), 1)),
        Effect.andThen(callContained("onHandlerFailure", onHandlerFailure, failure, quota.log)),
        Effect.annotateLogs({ storeId, sequence: remoteSequence, event: entry.event, entryId: entry.idString, reason }),
        // The logger is the app's, and may fail too.
        Effect.exit,
        Effect.asVoid
      )
    },
    count: () => count
  }
}
