import { Effect, Metric, Random } from "effect"
import { StorageError } from "../backend/StorageError.ts"
import { processingRetries } from "./metrics.ts"
import type { RetryMillis } from "./options.ts"

/** Makes a call wait for the backend while that is away. */
export type Patiently = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, Exclude<E, StorageError>, R>

/** What goes on between two attempts; it is given the time between them. */
export type Meanwhile = (pause: Effect.Effect<void>) => Effect.Effect<void>

/** Waits before attempt number `attempt` (from 0): a delay that doubles up to `max`, half of it at random. */
export const backOff = ({ max, min }: RetryMillis, attempt: number): Effect.Effect<void> => {
  const delay = Math.min(max, min * 2 ** Math.min(attempt, 30))
  return Effect.flatMap(Random.next, (random) => Effect.sleep(delay * (0.5 + random / 2)))
}

/**
 * Goes on with a call that failed. A `StorageError`, retryable or not, has it repeated until it fails with none: an operator
 * may repair what a retry can't, and entries that were not processed wait for it. Logs the first failure.
 */
export const outlast = Effect.fnUntraced(function* <A, E, R>(
  call: Effect.Effect<A, E, R>,
  first: E,
  delays: RetryMillis,
  meanwhile: Meanwhile
): Effect.fn.Return<A, Exclude<E, StorageError>, R> {
  let failure = first
  for (let attempt = 0; failure instanceof StorageError; attempt++) {
    yield* Metric.update(processingRetries, 1)
    yield* attempt === 0
      ? Effect.logWarning("Processing waits for the backend", failure)
      : Effect.logDebug("Processing still waits for the backend", failure)
    yield* meanwhile(backOff(delays, attempt))
    const result = yield* Effect.result(call)
    if (result._tag === "Success") return result.success
    failure = result.failure
  }
  return yield* Effect.fail(failure as Exclude<E, StorageError>)
})

/** Patience for those who keep nobody waiting meanwhile. */
export const makePatience =
  (delays: RetryMillis): Patiently =>
  (call) =>
    Effect.catch(call, (failure) => outlast(call, failure, delays, (pause) => pause))
