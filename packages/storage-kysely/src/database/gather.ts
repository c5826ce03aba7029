import { type Context, Effect } from "effect"

/** Somebody who asked for something. */
export interface Asked<A, B, E> {
  readonly item: A
  /** The context in which it was asked for. */
  readonly context: Context.Context<never>
  /** Lets who asked go on with an effect. Does nothing where nobody waits any more. */
  readonly resume: (answer: Effect.Effect<B, E>) => void
}

/** When what was asked for is given on: calls a function later, once. */
export type Later = (flush: () => void) => void

/** At the end of this turn of the event loop, when what other sockets and timers had to say has been heard, too. */
export const endOfTurn: Later = (flush) => void setImmediate(flush)

/** When what runs now is done: for those who know that what belongs together is asked for in one go. */
export const endOfTask: Later = queueMicrotask

/**
 * Gathers what is asked for until `later`, and gives it on together. What nobody waits for any more by then is left out.
 *
 * It is `RequestResolver` without fibers of its own: every write passes here twice, mostly alone, and these fibers were a
 * large part of what it cost.
 */
export const gather = <A, B, E>(
  later: Later,
  answer: (asked: ReadonlyArray<Asked<A, B, E>>) => void
): ((item: A) => Effect.Effect<B, E>) => {
  const waiting = new Set<Asked<A, B, E>>()
  const flush = () => {
    const asked = Array.from(waiting)
    waiting.clear()
    if (asked.length > 0) answer(asked)
  }
  return (item) =>
    Effect.withFiber(({ context }) =>
      Effect.callback<B, E>((resume) => {
        const asked = { item, context, resume }
        waiting.add(asked)
        if (waiting.size === 1) later(flush)
        return Effect.sync(() => void waiting.delete(asked))
      })
    )
}
