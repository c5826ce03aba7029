import { Effect, Fiber } from "effect"

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
