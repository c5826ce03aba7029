import { Context, Effect, type Fiber, FiberSet, References, type Scope } from "effect"
import { type ConnectionDetails, CurrentConnection } from "./CurrentConnection.ts"

/** Starts effects, and returns their fibers. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Makes what runs effects for a connection; see `makeRunner`. */
export type Runner = (details: ConnectionDetails) => Run

/** A context that lets callbacks and logs know which connection it is about. */
export const aboutConnection = <R>(context: Context.Context<R>, details: ConnectionDetails): Context.Context<R> =>
  context.pipe(
    Context.add(CurrentConnection, details),
    Context.add(References.CurrentLogAnnotations, {
      ...Context.get(context, References.CurrentLogAnnotations),
      connectionId: details.id
    })
  )

/**
 * Runs what connections have to do in the scope of the server, not of the connection: what was begun is finished. When the
 * scope closes, what still runs is interrupted, and nothing is begun any more.
 */
export const makeRunner: Effect.Effect<Runner, never, Scope.Scope> = Effect.gen(function* () {
  const fibers = yield* FiberSet.make<unknown, unknown>()
  const context = yield* Effect.context<never>()
  let isClosed = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
    })
  )
  return (details) => {
    // Once for a connection, not for each of its frames.
    const run = Effect.runForkWith(aboutConnection(context, details))
    return (effect) => {
      const fiber = run(isClosed ? Effect.interrupt : effect)
      // Most of it is done at once, and needs nobody who could interrupt it.
      if (fiber.pollUnsafe() === undefined) FiberSet.addUnsafe(fibers, fiber)
      return fiber
    }
  }
})
