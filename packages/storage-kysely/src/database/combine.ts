import { type Duration, Effect, Exit, Option, Request, RequestResolver } from "effect"

/** How calls for several stores are made as one. */
export interface Combination<A, B, E> {
  /** Makes one call for itself. */
  readonly alone: (item: A) => Effect.Effect<B, E>
  /** Makes several calls in one statement; answers by their index. What it leaves out is made alone. */
  readonly together: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyMap<number, B>, E>
  /** What a call weighs, more than 0. */
  readonly weigh: (item: A) => number
  /** What the calls of one statement may weigh together. */
  readonly maxWeight: number
  /** How long is waited for calls that could be made together. @default what is called in the same turn of the event loop */
  readonly window?: Duration.Input | undefined
}

/** Answered with `undefined` where a call has to be made alone. */
class Call<A, B> extends Request.Class<{ readonly item: A }, B | undefined> {}

type Entry<A, B> = Request.Entry<Call<A, B>>

/** The calls in groups that a statement can carry. */
const groupsOf = <A, B, E>(
  calls: ReadonlyArray<Entry<A, B>>,
  { maxWeight, weigh }: Combination<A, B, E>
): ReadonlyArray<ReadonlyArray<Entry<A, B>>> => {
  const groups: Array<Array<Entry<A, B>>> = []
  let left = 0
  for (const call of calls) {
    const weight = weigh(call.request.item)
    const group = groups.at(-1)
    if (group === undefined || weight > left) {
      groups.push([call])
      left = maxWeight
    } else group.push(call)
    left -= weight
  }
  return groups
}

/**
 * Makes what is called at the same time, whichever store it is for, in one statement: many stores that
 * are written to a little cost the database, and this process, far more by statements than by entries. It is only a
 * shortcut. Where the statement fails, and for what it leaves out, each call is made alone: none suffers for another.
 */
export const combine = <A, B, E>(combination: Combination<A, B, E>): ((item: A) => Effect.Effect<B, E>) => {
  const { alone, together, window } = combination
  const answer = (group: ReadonlyArray<Entry<A, B>>): Effect.Effect<void> => {
    const calling =
      group.length === 1 ? Effect.succeedNone : Effect.option(together(group.map(({ request }) => request.item)))
    return Effect.map(calling, (answers) => {
      const byIndex = Option.getOrUndefined(answers)
      for (const [index, { completeUnsafe }] of group.entries()) completeUnsafe(Exit.succeed(byIndex?.get(index)))
    })
  }
  const promptly = RequestResolver.make<Call<A, B>>((calls) =>
    Effect.forEach(groupsOf(calls, combination), answer, { concurrency: "unbounded", discard: true })
  )
  const resolver = window === undefined ? promptly : RequestResolver.setDelay(promptly, window)
  return (item) =>
    Effect.flatMap(Effect.request(new Call<A, B>({ item }), resolver), (answered) =>
      answered === undefined ? alone(item) : Effect.succeed(answered)
    )
}
