import { Deferred, Effect, Exit } from "effect"

/** Whether something is a promise, whoever's. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/**
 * A signal that is made when somebody asks for it: few handlers do, and a controller for each entry costs more than a
 * small handler.
 */
export class LazySignal {
  #controller: AbortController | undefined
  #isAborted = false

  get(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort()
  }
}

/**
 * Waits for a promise of a user's function, and fails with whatever that rejects with. The promise counts as looked after
 * from now on, whenever the effect runs.
 *
 * @param signal aborted when the effect is interrupted
 */
export const settlementOf = <A>(promise: PromiseLike<A>, signal: LazySignal): Effect.Effect<A, unknown> => {
  const settled = Deferred.makeUnsafe<A, unknown>()
  promise.then(
    (value) => Deferred.doneUnsafe(settled, Exit.succeed(value)),
    (cause) => Deferred.doneUnsafe(settled, Exit.fail(cause))
  )
  return Effect.onInterrupt(Deferred.await(settled), () => Effect.sync(() => signal.abort()))
}

/** Runs what a handler returned where that is an effect, since nobody else would: what it returned, or what came of that. */
export const runReturned = (returned: unknown): Effect.Effect<unknown, unknown> =>
  Effect.isEffect(returned) ? Effect.scoped(returned as Effect.Effect<unknown, unknown>) : Exit.succeed(returned)

/**
 * Calls a user's function and fails with whatever it throws or rejects with. One that returns at once is done at once:
 * waiting for a promise that nobody made costs every write and every entry fibers and timers.
 *
 * @param call given a signal, made when asked for, that is aborted when the effect is interrupted
 */
export const callPlain = <A>(call: (signal: LazySignal) => A | PromiseLike<A>): Effect.Effect<A, unknown> =>
  Effect.suspend((): Effect.Effect<A, unknown> => {
    const signal = new LazySignal()
    try {
      const returned = call(signal)
      return isThenable(returned) ? settlementOf(returned as PromiseLike<A>, signal) : Exit.succeed(returned as A)
    } catch (cause) {
      return Exit.fail(cause)
    }
  })
