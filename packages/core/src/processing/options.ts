import { Duration } from "effect"
import type { PageLimits } from "../backend/FeedStore.ts"
import { defaultLimits, type Limits } from "../wire/limits.ts"
import type { HandlerFailure } from "./failures.ts"
import type { FeedMismatch } from "./stoppedStores.ts"

/** How processing behaves. Every member has a default. A duration that is a number is in milliseconds. */
export interface ProcessingOptions {
  /** How long a handler may run before it counts as failed. @default 30 seconds */
  readonly handlerTimeout?: Duration.Input | undefined
  /** How often stores are looked for that have something to do and that nobody told this node of. @default 30 seconds */
  readonly sweepInterval?: Duration.Input | undefined
  /**
   * Stores that are processed at the same time; the others take turns, a page each. One whose handler takes longer than
   * 100 ms doesn't count until the handler is done. @default 64
   */
  readonly maxStores?: number | undefined
  /**
   * How long a store's lease is kept after its last entry, when this node wrote to the store: the next entry then needs
   * none. While it is kept it is renewed, by databases and Redis every 10 seconds, with all others in one statement: that
   * costs less than to take it and to give it back for each entry, up to this time between two. @default 20 seconds
   */
  readonly linger?: Duration.Input | undefined
  /** How often a lease that another node holds is asked for: at first, and at last. @default 50 ms to 2 seconds */
  readonly leaseRetry?: RetryDelays | undefined
  /** How often the backend is asked again while it is away: at first, and at last. @default 100 ms to 10 seconds */
  readonly outageRetry?: RetryDelays | undefined
  /** How long closing waits for the handlers that are running. @default 5 seconds */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * Told of every entry whose handler failed, timed out, or could not decode it. The entry counts as processed. What this
   * throws is logged; a promise is not waited for.
   */
  readonly onHandlerFailure?: ((failure: HandlerFailure) => unknown) | undefined
  /**
   * Told once of every store whose processing stopped, since its feed went backwards: a restored backup, or a store that
   * lost its data. What this throws is logged; a promise is not waited for.
   */
  readonly onFeedMismatch?: ((mismatch: FeedMismatch) => unknown) | undefined
}

/** Delays that double from `min` to `max`, half of each at random. Numbers are milliseconds. */
export interface RetryDelays {
  readonly min: Duration.Input
  readonly max: Duration.Input
}

/** The limits that concern processing. */
export type ProcessingLimits = Pick<
  Limits,
  "maxPageEntries" | "maxPageBytes" | "maxConflicts" | "maxConflictBytes" | "maxPausedBytes"
>

/** `RetryDelays` in milliseconds. */
export interface RetryMillis {
  readonly min: number
  readonly max: number
}

/** `ProcessingOptions` with the defaults and the limits filled in; times are in milliseconds. */
export interface ResolvedProcessingOptions {
  readonly handlerTimeout: number
  readonly sweepInterval: number
  readonly maxStores: number
  readonly linger: number
  readonly leaseRetry: RetryMillis
  readonly outageRetry: RetryMillis
  readonly shutdownTimeout: number
  readonly onHandlerFailure: (failure: HandlerFailure) => unknown
  readonly onFeedMismatch: (mismatch: FeedMismatch) => unknown
  readonly pageLimits: PageLimits
  readonly maxConflicts: number
  readonly maxConflictBytes: number
  readonly maxPausedBytes: number
}

const millis = (input: Duration.Input | undefined, defaultMillis: number): number =>
  input === undefined ? defaultMillis : Duration.toMillis(input)

const retryMillis = (delays: RetryDelays | undefined, min: number, max: number): RetryMillis => ({
  min: millis(delays?.min, min),
  max: millis(delays?.max, max)
})

const ignore = (): void => {}

/**
 * Fills in the defaults.
 *
 * @param limits default: those of `defaultLimits`
 */
export const resolveProcessingOptions = (
  options: ProcessingOptions,
  limits: Partial<ProcessingLimits> = {}
): ResolvedProcessingOptions => {
  const { maxConflictBytes, maxConflicts, maxPageBytes, maxPageEntries, maxPausedBytes } = {
    ...defaultLimits,
    ...limits
  }
  return {
    handlerTimeout: millis(options.handlerTimeout, 30_000),
    sweepInterval: millis(options.sweepInterval, 30_000),
    maxStores: options.maxStores ?? 64,
    linger: millis(options.linger, 20_000),
    leaseRetry: retryMillis(options.leaseRetry, 50, 2_000),
    outageRetry: retryMillis(options.outageRetry, 100, 10_000),
    shutdownTimeout: millis(options.shutdownTimeout, 5_000),
    onHandlerFailure: options.onHandlerFailure ?? ignore,
    onFeedMismatch: options.onFeedMismatch ?? ignore,
    pageLimits: { maxEntries: maxPageEntries, maxBytes: maxPageBytes },
    maxConflicts,
    maxConflictBytes,
    maxPausedBytes
  }
}
