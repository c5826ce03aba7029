import { Effect, Metric } from "effect"
import { StorageError } from "../backend/StorageError.ts"
import { backOff } from "./backoff.ts"
import { processingRetries } from "./metrics.ts"
import type { RetryMillis } from "./options.ts"

/** Makes a call of the backend wait until the backend answers. */
export type Patiently = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, Exclude<E, StorageError>, R>

/**
 * Repeats a call while it fails with a `StorageError`, retryable or not: an operator may repair what a retry can't, and
 * entries that were not processed wait for it. Logs the first failure of each call.
 *
 * @param waiting what goes on while the backend is away; it is given the time between two attempts
 */
export const untilAnswered = (
  delays: RetryMillis,
  waiting: (pause: Effect.Effect<void>) => Effect.Effect<void> = (pause) => pause
): Patiently =>
  Effect.fnUntraced(function* <A, E, R>(
    call: Effect.Effect<A, E, R>
  ): Effect.fn.Return<A, Exclude<E, StorageError>, R> {
    for (let attempt = 0; ; attempt++) {
      const result = yield* Effect.result(call)
      if (result._tag === "Success") return result.success
      if (!(result.failure instanceof StorageError)) {
        return yield* Effect.fail(result.failure as Exclude<E, StorageError>)
      }
      yield* Metric.update(processingRetries, 1)
      yield* attempt === 0
        ? Effect.logWarning("Processing waits for the backend", result.failure)
        : Effect.logDebug("Processing still waits for the backend", result.failure)
      yield* waiting(backOff(delays, attempt))
    }
  })
