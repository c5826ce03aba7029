import { Effect, Latch, type Scope } from "effect"

/** A signal that the network changed: a reason to look at once whether the server can be reached. */
export interface Wake {
  /** Completes with the next signal. */
  readonly woken: Effect.Effect<void>
  /** Gives the signal to all who wait. */
  readonly wake: Effect.Effect<void>
}

/** Where events come from: a window, a worker's scope, or a runtime that has none. */
type Target = Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">>

/**
 * Makes a {@link Wake} that follows the `online` and `offline` events, where the runtime has them, until the scope closes.
 * A browser that goes offline may keep its sockets open and silent, so that is a reason to ask, too.
 */
export const makeWake: Effect.Effect<Wake, never, Scope.Scope> = Effect.gen(function* () {
  const latch = Latch.makeUnsafe()
  const wake = Effect.asVoid(latch.release)
  yield* networkEvent(globalThis as Target).pipe(
    Effect.andThen(wake),
    Effect.forever,
    Effect.forkScoped({ startImmediately: true })
  )
  return { wake, woken: latch.await }
})

const types = ["online", "offline"]

const networkEvent = (target: Target): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (typeof target.addEventListener !== "function") return
    const listener = () => resume(Effect.void)
    for (const type of types) target.addEventListener(type, listener)
    return Effect.sync(() => {
      for (const type of types) target.removeEventListener?.(type, listener)
    })
  })
