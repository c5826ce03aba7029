import { Effect, type Exit, type Fiber } from "effect"

/** What became of a detached run: its exit, or why nobody waited for it any longer. */
export type Outcome<A, E, B> =
  | { readonly _tag: "Done"; readonly exit: Exit.Exit<A, E> }
  | { readonly _tag: "GaveUp"; readonly reason: B }

/**
 * Runs an effect in a fiber of its own and waits for it until `giveUp` succeeds. What is still running then, or when the
 * caller is interrupted, is interrupted and not waited for: an effect that ignores interruption can't hold its caller up.
 */
export const runDetached = <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  giveUp: Effect.Effect<B>
): Effect.Effect<Outcome<A, E, B>, never, R> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (work) => {
    const exit = work.pollUnsafe()
    return exit === undefined ? waitDetached(work, giveUp) : Effect.succeed({ _tag: "Done", exit })
  })

/** The same for what was begun already. */
const waitDetached = <A, E, B>(work: Fiber.Fiber<A, E>, giveUp: Effect.Effect<B>): Effect.Effect<Outcome<A, E, B>> =>
  Effect.flatMap(Effect.forkDetach(giveUp), (limit) =>
    Effect.callback<Outcome<A, E, B>>((resume) => {
      work.addObserver((exit) => {
        limit.interruptUnsafe()
        resume(Effect.succeed({ _tag: "Done", exit }))
      })
      limit.addObserver((exit) => {
        if (exit._tag === "Failure") return
        // First, since an interrupted run is done, too.
        resume(Effect.succeed({ _tag: "GaveUp", reason: exit.value }))
        work.interruptUnsafe()
      })
      return Effect.sync(() => {
        work.interruptUnsafe()
        limit.interruptUnsafe()
      })
    })
  )
