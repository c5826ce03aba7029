import { Duration } from "effect"
import type { PageLimits } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { defaultLimits, type Limits } from "../wire/limits.ts"
import type { HandlerFailure } from "./failures.ts"
import type { FeedMismatch, TooManyFailures } from "./stoppedStores.ts"

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
  /** How often a handler that fails is tried, and when again. Another policy may be given for single events. */
  readonly retry?: RetryOptions | undefined
  /**
   * Failures that are kept of a store at most. When one more entry fails, the store's processing stops before it, until there
   * is room again. @default 1,000
   */
  readonly maxFailures?: number | undefined
  /**
   * Events that devices know and the server needn't: their entries are passed over. Other entries that have no handler fail, and
   * are kept. @default none
   */
  readonly ignoredEvents?: ReadonlyArray<string> | undefined
  /**
   * Told of every entry that was not handled and is kept: its handler failed as often as it was tried, or timed out, it could
   * not be decoded, or has no handler. The entry counts as processed. What this throws is logged; a promise is not waited for.
   */
  readonly onHandlerFailure?: ((failure: HandlerFailure) => unknown) | undefined
  /**
   * Told once of every store whose processing stopped, since its feed went backwards: a restored backup, or a store that
   * lost its data. What this throws is logged; a promise is not waited for.
   */
  readonly onFeedMismatch?: ((mismatch: FeedMismatch) => unknown) | undefined
  /**
   * Called before handlers see a store's entries again (`reprocess`): the app empties what they made of them. What it does
   * through the transaction is committed with the cursor. It is waited for, for `handlerTimeout` at most; where it fails, that is
   * logged, and the store waits until it is tried again. It may be called again after a crash. @default nothing
   */
  readonly onReset?: ((reset: StoreReset<never>) => unknown) | undefined
  /**
   * Told once of every store whose processing stopped, since it has `maxFailures`. What this throws is logged; a promise is not
   * waited for.
   */
  readonly onTooManyFailures?: ((stop: TooManyFailures) => unknown) | undefined
}

/** A store whose handlers are about to see its entries again. */
export interface StoreReset<Transaction = undefined> {
  readonly storeId: StoreId
  /** The sequence of the first entry that they will see. */
  readonly from: number
  /** The transaction that the cursor is moved back in; `undefined` where the backend wasn't asked for it. */
  readonly transaction: Transaction
}

/**
 * How often a handler that fails is tried before its entry is kept as a failure. The store's later entries wait meanwhile,
 * other stores don't. Nothing that is for good is tried again: an error whose `retryable` is `false`, an entry that can't be decoded or has no
 * handler, and a handler that timed out, which may still be running.
 */
export interface RetryPolicy {
  /** How often it is tried at most, the first time included; 1: once. @default 3 */
  readonly attempts?: number | undefined
  /** The time between two attempts. @default 100 to 500 ms */
  readonly backoff?: RetryDelays | undefined
}

/** The policy for all handlers, and those for single events. */
export interface RetryOptions extends RetryPolicy {
  /** By the event. What one leaves out is as for all. @default none */
  readonly events?: Readonly<Record<string, RetryPolicy>> | undefined
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

/** `RetryPolicy` with the defaults filled in. */
export interface ResolvedRetryPolicy {
  readonly attempts: number
  readonly backoff: RetryMillis
}

/** `RetryOptions` with the defaults filled in. */
export interface ResolvedRetry {
  readonly all: ResolvedRetryPolicy
  readonly events: ReadonlyMap<string, ResolvedRetryPolicy>
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
  readonly retry: ResolvedRetry
  readonly maxFailures: number
  readonly ignoredEvents: ReadonlySet<string>
  readonly onHandlerFailure: (failure: HandlerFailure) => unknown
  readonly onFeedMismatch: (mismatch: FeedMismatch) => unknown
  readonly onTooManyFailures: (stop: TooManyFailures) => unknown
  readonly onReset: (reset: StoreReset<never>) => unknown
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

const resolveRetry = ({ events = {}, ...forAll }: RetryOptions): ResolvedRetry => {
  const resolve = (policy: RetryPolicy): ResolvedRetryPolicy => ({
    attempts: policy.attempts ?? forAll.attempts ?? 3,
    backoff: retryMillis(policy.backoff ?? forAll.backoff, 100, 500)
  })
  return {
    all: resolve({}),
    events: new Map(Object.entries(events).map(([event, policy]) => [event, resolve(policy)]))
  }
}

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
    retry: resolveRetry(options.retry ?? {}),
    maxFailures: options.maxFailures ?? 1_000,
    ignoredEvents: new Set(options.ignoredEvents),
    onHandlerFailure: options.onHandlerFailure ?? ignore,
    onFeedMismatch: options.onFeedMismatch ?? ignore,
    onTooManyFailures: options.onTooManyFailures ?? ignore,
    onReset: options.onReset ?? ignore,
    pageLimits: { maxEntries: maxPageEntries, maxBytes: maxPageBytes },
    maxConflicts,
    maxConflictBytes,
    maxPausedBytes
  }
}
