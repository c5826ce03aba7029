import { StorageError } from "@eventlog-server/core/backend"
import { Effect, Fiber, Random } from "effect"
import type { Dialect } from "../dialects/Dialect.ts"
import type { RunTarget } from "./Target.ts"

/** The user's database, where the tables are in it, and what is peculiar to it. */
export interface Database extends RunTarget {
  readonly dialect: Dialect
}

/** How often a call is tried that others were in the way of. */
const maxAttempts = 10

/** Longer and longer pauses, in milliseconds, at random: those who met must not meet again. */
const pauseAfter = (attempt: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(random * Math.min(250, 4 * 2 ** attempt)))

/**
 * Calls the database. A call that met others (a deadlock, a lock, a write in between) is tried again: it has to be one
 * transaction, of which nothing stays. A row that makes no sense fails the call too. What fails for good is a `StorageError`, and says whether a retry may help.
 */
export const attempt = <A>(
  { dialect }: Database,
  operation: string,
  call: () => Promise<A>
): Effect.Effect<A, StorageError> => {
  const calling = Effect.tryPromise({ try: call, catch: (cause) => cause })
  const attemptAgain = (cause: unknown, attempts: number): Effect.Effect<A, StorageError> => {
    const failure = dialect.failureOf(cause)
    if (failure !== "Conflict" || attempts === maxAttempts) {
      return Effect.fail(new StorageError({ operation, retryable: failure !== "Broken", cause }))
    }
    return Effect.andThen(
      pauseAfter(attempts),
      Effect.catch(calling, (cause) => attemptAgain(cause, attempts + 1))
    )
  }
  return Effect.catch(calling, (cause) => attemptAgain(cause, 0))
}

/**
 * Runs the last call of something that ends, and waits for it up to `millis`; what becomes of it matters to nobody. In a
 * fiber of its own, since the one that leaves is often being interrupted.
 */
export const beforeLeaving = <A, E, R>(call: Effect.Effect<A, E, R>, millis: number): Effect.Effect<void, never, R> =>
  call.pipe(
    Effect.timeoutOption(millis),
    Effect.interruptible,
    Effect.forkDetach,
    Effect.flatMap(Fiber.await),
    Effect.asVoid
  )
