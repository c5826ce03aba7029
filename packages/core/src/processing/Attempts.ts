import { Effect, Metric } from "effect"
import { type FailedRun, isForGood } from "./failures.ts"
import { handlerRetries } from "./metrics.ts"
import type { ResolvedRetry, ResolvedRetryPolicy } from "./options.ts"
import { backOff } from "./patience.ts"

/** How often handlers of a store failed whose entries are to be tried again. */
export class Attempts {
  readonly #retry: ResolvedRetry
  /** By the sequences of the entries: those of a transaction that failed, at most. */
  readonly #counts = new Map<number, number>()

  constructor(retry: ResolvedRetry) {
    this.#retry = retry
  }

  /** Counts a failure, and tells whether its handler is tried again. */
  isTriedAgain(failed: FailedRun): boolean {
    const { remoteSequence } = failed.feedEntry
    const count = (this.#counts.get(remoteSequence) ?? 0) + 1
    if (isForGood(failed) || count >= this.#policyOf(failed).attempts) return false
    this.#counts.set(remoteSequence, count)
    return true
  }

  /** Waits until a handler is tried again. @param begin done first */
  pause(failed: FailedRun, begin: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.logDebug("An event handler failed, and is tried again", failed.cause).pipe(
      Effect.exit,
      Effect.andThen(Metric.update(handlerRetries, 1)),
      Effect.andThen(begin),
      Effect.andThen(Effect.suspend(() => backOff(this.#policyOf(failed).backoff, this.#failuresOf(failed) - 1)))
    )
  }

  /** An entry is passed. */
  forget(sequence: number): void {
    if (this.#counts.size > 0) this.#counts.delete(sequence)
  }

  #policyOf({ feedEntry: { entry } }: FailedRun): ResolvedRetryPolicy {
    return this.#retry.events.get(entry.event) ?? this.#retry.all
  }

  #failuresOf({ feedEntry: { remoteSequence } }: FailedRun): number {
    return this.#counts.get(remoteSequence) ?? 1
  }
}
