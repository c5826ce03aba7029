import { Duration } from "effect"
import type { PageLimits } from "../backend/FeedStore.ts"
import { defaultLimits } from "../wire/limits.ts"
import type { HandlerFailure } from "./handlers.ts"
import type { FeedMismatch } from "./stoppedStores.ts"

/** How processing behaves. Every member has a default. */
export interface ProcessingOptions {
  /** How long a handler may run before it counts as failed. @default 30 seconds */
  readonly handlerTimeout?: Duration.Input | undefined
  /** How often the heads of all stores are compared with their cursors. @default 30 seconds */
  readonly sweepInterval?: Duration.Input | undefined
  /** How much is read and processed at a time. @default 512 entries, 256 KiB */
  readonly pageLimits?: PageLimits | undefined
  /** Conflicts that a handler is given, the newest ones. @default 100 */
  readonly maxConflicts?: number | undefined
  /** Bytes of the conflicts that are held at the same time for a page. @default 8 MiB */
  readonly maxConflictBytes?: number | undefined
  /** What stores whose handlers are slow may keep of their pages meanwhile, all together. @default 64 MiB */
  readonly maxPausedBytes?: number | undefined
  /**
   * Stores that are processed at the same time; the others take turns, a page each. One whose handler takes longer than
   * 100 ms doesn't count until the handler is done. @default 64
   */
  readonly maxStores?: number | undefined
  /** How long a store's lease is kept after its last entry. @default 2 seconds */
  readonly linger?: Duration.Input | undefined
  /** How often a lease that somebody else holds is asked for: at first, and at last. @default 50 ms to 2 seconds */
  readonly leaseRetry?: RetryDelays | undefined
  /** How often the backend is asked again while it is away: at first, and at last. @default 100 ms to 10 seconds */
  readonly outageRetry?: RetryDelays | undefined
  /** How long closing waits for the handlers that are running. @default 5 seconds */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** Told of every entry whose handler failed. What it throws is logged; a promise is not waited for. */
  readonly onHandlerFailure?: ((failure: HandlerFailure) => unknown) | undefined
  /** Told once of every store whose processing stopped. What it throws is logged; a promise is not waited for. */
  readonly onFeedMismatch?: ((mismatch: FeedMismatch) => unknown) | undefined
}

/** Delays that double from `min` to `max`, half of each at random. */
export interface RetryDelays {
  readonly min: Duration.Input
  readonly max: Duration.Input
}

/** `RetryDelays` in milliseconds. */
export interface RetryMillis {
  readonly min: number
  readonly max: number
}

/** `ProcessingOptions` with the defaults filled in; times are in milliseconds. */
export interface ResolvedProcessingOptions {
  readonly handlerTimeout: number
  readonly sweepInterval: number
  readonly pageLimits: PageLimits
  readonly maxConflicts: number
  readonly maxConflictBytes: number
  readonly maxPausedBytes: number
  readonly maxStores: number
  readonly linger: number
  readonly leaseRetry: RetryMillis
  readonly outageRetry: RetryMillis
  readonly shutdownTimeout: number
  readonly onHandlerFailure: (failure: HandlerFailure) => unknown
  readonly onFeedMismatch: (mismatch: FeedMismatch) => unknown
}

const millis = (input: Duration.Input | undefined, defaultMillis: number): number =>
  input === undefined ? defaultMillis : Duration.toMillis(input)

const retryMillis = (delays: RetryDelays | undefined, min: number, max: number): RetryMillis => ({
  min: millis(delays?.min, min),
  max: millis(delays?.max, max)
})

const ignore = (): void => {}

/** Fills in the defaults. */
export const resolveProcessingOptions = (options: ProcessingOptions): ResolvedProcessingOptions => ({
  handlerTimeout: millis(options.handlerTimeout, 30_000),
  sweepInterval: millis(options.sweepInterval, 30_000),
  pageLimits: options.pageLimits ?? { maxEntries: defaultLimits.maxPageEntries, maxBytes: defaultLimits.maxPageBytes },
  maxConflicts: options.maxConflicts ?? defaultLimits.maxConflicts,
  maxConflictBytes: options.maxConflictBytes ?? defaultLimits.maxConflictBytes,
  maxPausedBytes: options.maxPausedBytes ?? defaultLimits.maxPausedBytes,
  maxStores: options.maxStores ?? 64,
  linger: millis(options.linger, 2_000),
  leaseRetry: retryMillis(options.leaseRetry, 50, 2_000),
  outageRetry: retryMillis(options.outageRetry, 100, 10_000),
  shutdownTimeout: millis(options.shutdownTimeout, 5_000),
  onHandlerFailure: options.onHandlerFailure ?? ignore,
  onFeedMismatch: options.onFeedMismatch ?? ignore
})
