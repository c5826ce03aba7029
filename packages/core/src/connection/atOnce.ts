import { type Cause, Effect, Exit } from "effect"

/*
 * Most writes have nothing to wait for until they are queued. What handles them does what can be done when it is called, and
 * returns what is left: an `Exit` where that is nothing. Fibers, and the closures of effects, are for the others.
 */

/** What a function returns, or a defect where it throws instead. */
export const called = <A, E>(begin: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return begin()
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** `Effect.flatMap`, but it goes on at once where the effect is done already. */
export const goOn = <A, E, B, E2>(
  effect: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>
): Effect.Effect<B, E | E2> => {
  if (!Exit.isExit(effect)) return Effect.flatMap(effect, next)
  return Exit.isSuccess(effect) ? next(effect.value as A) : (effect as Exit.Exit<never, E>)
}

/** `Effect.catchCause`, but it handles a failure at once that is there already. */
export const recover = <E, E2>(
  effect: Effect.Effect<void, E>,
  handle: (cause: Cause.Cause<E>) => Effect.Effect<void, E2>
): Effect.Effect<void, E2> => {
  if (!Exit.isExit(effect)) return Effect.catchCause(effect, handle)
  return Exit.isFailure(effect) ? handle(effect.cause as Cause.Cause<E>) : Effect.void
}

/** `Effect.onError`, but it knows at once of a failure that is there already. */
export const onFailed = <A, E>(effect: Effect.Effect<A, E>, failed: () => void): Effect.Effect<A, E> => {
  if (!Exit.isExit(effect)) return Effect.onError(effect, () => Effect.sync(failed))
  if (Exit.isFailure(effect)) failed()
  return effect
}

/** Whether nothing is left to be done. */
export const isDone = (effect: Effect.Effect<void>): boolean => Exit.isExit(effect) && Exit.isSuccess(effect)
