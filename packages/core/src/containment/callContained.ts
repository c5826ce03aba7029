import { Effect } from "effect"

/**
 * Calls a user's callback. Whatever it throws, and a promise of its that rejects, is logged and nothing else; a promise
 * is not waited for.
 *
 * @param limited bounds how often that is logged, for a callback that is called for each of many entries
 */
export const callContained = <A>(
  name: string,
  callback: (argument: A) => unknown,
  argument: A,
  limited: (line: Effect.Effect<void>) => Effect.Effect<void> = (line) => line
): Effect.Effect<void> =>
  Effect.promise(async () => callback(argument)).pipe(
    Effect.catchCause((cause) => limited(Effect.logError(`${name} threw`, cause))),
    Effect.forkDetach({ startImmediately: true }),
    Effect.asVoid
  )
