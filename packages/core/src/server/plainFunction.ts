import { Effect } from "effect"

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/**
 * A signal that is made when somebody asks for it: few handlers do, and a controller for each entry costs more than a
 * small handler.
 */
class LazySignal {
  private controller: AbortController | undefined
  private isAborted = false

  get(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.isAborted) this.controller.abort()
    return this.controller.signal
  }

  abort(): void {
    this.isAborted = true
    this.controller?.abort()
  }
}

/**
 * Calls a user's function and fails with whatever it throws or rejects with. One that answers at once is answered at once:
 * waiting for a promise that nobody made costs every write and every entry fibers and timers.
 *
 * @param call given a signal, made when asked for, that is aborted when the effect is interrupted
 */
export const callPlain = <A>(call: (signal: () => AbortSignal) => A | PromiseLike<A>): Effect.Effect<A, unknown> =>
  Effect.callback<A, unknown>((resume) => {
    const signal = new LazySignal()
    const fail = (cause: unknown) => resume(Effect.fail(cause))
    try {
      const answer = call(() => signal.get())
      if (!isThenable(answer)) return resume(Effect.succeed(answer))
      answer.then((value) => resume(Effect.succeed(value as A)), fail)
    } catch (cause) {
      return fail(cause)
    }
    return Effect.sync(() => signal.abort())
  })
