import { Effect } from "effect"

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/**
 * Calls a user's function and fails with whatever it throws or rejects with. One that answers at once is answered at once:
 * waiting for a promise that nobody made costs every write and every entry fibers and timers.
 *
 * @param call given a signal that is aborted when the effect is interrupted
 */
export const callPlain = <A>(call: (signal: AbortSignal) => A | PromiseLike<A>): Effect.Effect<A, unknown> =>
  Effect.callback<A, unknown>((resume, signal) => {
    const fail = (cause: unknown) => resume(Effect.fail(cause))
    try {
      const answer = call(signal)
      if (isThenable(answer)) answer.then((value) => resume(Effect.succeed(value as A)), fail)
      else resume(Effect.succeed(answer))
    } catch (cause) {
      fail(cause)
    }
  })
