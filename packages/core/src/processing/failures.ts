import { Cause, Data, Effect, Formatter, Metric } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Author, FeedEntry } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Failure, FailureReason, Within } from "../backend/StoreProgress.ts"
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

/** An entry of an event that no handler is registered for, such as one that a newer version of the app wrote. */
export class NoHandlerError extends Data.TaggedError("NoHandlerError")<{
  readonly event: string
}> {
  override get message(): string {
    return `There is no handler for "${this.event}"`
  }
}

/** An entry whose handler failed for good. It is kept, and counts as processed: no entry holds up those behind it. */
export interface HandlerFailure {
  readonly storeId: StoreId
  readonly entry: EventJournal.Entry
  readonly sequence: number
  readonly author: Author
  readonly reason: FailureReason
  /**
   * The error that the handler failed with or threw, a `HandlerTimeoutError`, an `UndecodablePayloadError` or a
   * `NoHandlerError` or a `TooManyConflictsError`.
   */
  readonly cause: unknown
}

/** What an entry's handler failed with. */
export interface FailedRun {
  readonly feedEntry: FeedEntry
  readonly reason: FailureReason
  readonly cause: Cause.Cause<unknown>
  /** The error in the cause. */
  readonly error: unknown
}

const reasons: Readonly<Record<string, FailureReason>> = {
  HandlerTimeoutError: "TimedOut",
  UndecodablePayloadError: "Undecodable",
  NoHandlerError: "NoHandler",
  TooManyConflictsError: "TooManyConflicts"
}

const ours = [HandlerTimeoutError, UndecodablePayloadError, NoHandlerError, TooManyConflictsError]

/** An app's error may have any name. */
const reasonOf = (error: unknown): FailureReason | undefined =>
  ours.some((type) => error instanceof type) ? reasons[(error as { readonly _tag: string })._tag] : undefined

export const failedRun = (feedEntry: FeedEntry, cause: Cause.Cause<unknown>): FailedRun => {
  const error = Cause.squash(cause)
  return { feedEntry, reason: reasonOf(error) ?? "HandlerFailed", cause, error }
}

/** Whether a schema that can read the entry, or a handler, is all that is missing. */
export const awaitsDeploy = (reason: FailureReason): boolean => reason === "Undecodable" || reason === "NoHandler"

/**
 * Whether another attempt is in vain: the error says so by a `retryable` that is `false`, or nothing will be different. A
 * handler that timed out may still be running.
 */
export const isForGood = ({ error, reason }: FailedRun): boolean =>
  reason !== "HandlerFailed" || (error as { readonly retryable?: unknown } | null | undefined)?.retryable === false

/** Characters of a message that are kept. */
const maxMessage = 1_000

const textOf = (error: unknown): string => {
  if (typeof error === "string") return error
  return error instanceof Error ? error.message || error.name : Formatter.format(error)
}

const messageOf = (error: unknown): string => {
  // No database takes each of these.
  return textOf(error).slice(0, maxMessage).replaceAll("\u0000", "").replace(loneSurrogates, "\ufffd")
}

const loneSurrogates = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** What is kept of a failure. */
export const toFailure = ({ error, feedEntry: { author, entry, remoteSequence }, reason }: FailedRun): Failure => ({
  sequence: remoteSequence,
  entryId: entry.id,
  event: entry.event,
  primaryKey: entry.primaryKey,
  author,
  reason,
  message: messageOf(error)
})

/** An entry failed for good, and the store has as many failures already as are kept. */
export class TooManyFailuresError extends Data.TaggedError("TooManyFailuresError")<{
  readonly failures: number
}> {}

/** Keeps a failure among those of its store, unless there are too many. */
export const keepFailure = Effect.fnUntraced(function* (
  failures: Within["failures"],
  failed: FailedRun,
  maxFailures: number
): Effect.fn.Return<TooManyFailuresError | undefined, StorageError> {
  const kept = yield* failures.record([toFailure(failed)])
  if (kept <= maxFailures) return undefined
  yield* failures.settle([failed.feedEntry.remoteSequence])
  return new TooManyFailuresError({ failures: kept - 1 })
})

/** Tells of entries whose handlers failed. */
export interface FailureReports {
  /** Logs a failure that is kept, counts it, and tells the app. It never fails. */
  readonly report: (storeId: StoreId, failed: FailedRun) => Effect.Effect<void>
  /** How many handlers failed so far. */
  readonly count: () => number
}

/** @param quota a device may write as many entries that fail as it likes: not each of them is worth a line */
export const makeFailureReports = (
  onHandlerFailure: (failure: HandlerFailure) => unknown,
  quota: LogQuota
): FailureReports => {
  let count = 0
  return {
    report: (storeId, { cause, error, feedEntry: { author, entry, remoteSequence }, reason }) => {
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
