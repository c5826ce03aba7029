import { Cause, Duration, Effect, Fiber, type Scope } from "effect"
import { StorageError } from "../backend/StorageError.ts"

/** How a server is. */
export type Health =
  /** It serves, and found in its storage what it needs. */
  | { readonly status: "ok" }
  /** It is closing, and takes nothing new. */
  | { readonly status: "draining" }
  /** The storage is away, or isn't set up. What the error says is for whoever runs the server, and not for its clients. */
  | { readonly status: "unavailable"; readonly error: unknown }

const operation = "FeedAdmin.check"

/** A look that takes longer than `healthTimeout` has failed. */
export const inTime =
  (timeout: Duration.Duration) =>
  <A, E, R>(look: Effect.Effect<A, E, R>): Effect.Effect<A, E | StorageError, R> =>
    Effect.timeoutOrElse(look, {
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new StorageError({
            operation,
            retryable: true,
            cause: `no answer within ${Duration.format(timeout)}`,
            advice: "See whether the storage is running, and can be reached from here"
          })
        )
    })

/** One look at the storage for all who want one now, however many ask. It ends with the scope, and in time. */
export const shareLook = (
  check: Effect.Effect<void, StorageError>,
  timeout: Duration.Duration
): Effect.Effect<Effect.Effect<void, StorageError>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let looking: Fiber.Fiber<void, StorageError> | undefined
    const forget = Effect.sync(() => {
      looking = undefined
    })
    const begin = Effect.map(Effect.forkIn(Effect.ensuring(inTime(timeout)(check), forget), scope), (fiber) => {
      looking = fiber
      return fiber
    })
    return Effect.flatMap(
      Effect.suspend(() => (looking === undefined ? begin : Effect.succeed(looking))),
      Fiber.join
    )
  })

/** What a look at the storage says of the server. */
export const healthOf = (look: Effect.Effect<void, unknown>, isDraining: () => boolean): Effect.Effect<Health> => {
  const draining: Health = { status: "draining" }
  const looked = Effect.matchCause(look, {
    onSuccess: (): Health => ({ status: "ok" }),
    onFailure: (cause): Health => ({ status: "unavailable", error: Cause.squash(cause) })
  })
  // It may have begun to close while the storage was looked at.
  const health = Effect.map(looked, (health) => (isDraining() ? draining : health))
  return Effect.suspend(() => (isDraining() ? Effect.succeed(draining) : health))
}
