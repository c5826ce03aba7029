import { Effect, Exit } from "effect"
import { type Asked, endOfTurn, gather, type Later } from "./gather.ts"

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
  /** Until when calls are waited for that could be made together. @default the end of this turn of the event loop */
  readonly later?: Later | undefined
}

/** The calls in groups that a statement can carry. */
const groupsOf = <A, B, E>(
  calls: ReadonlyArray<Asked<A, B, E>>,
  { maxWeight, weigh }: Combination<A, B, E>
): ReadonlyArray<ReadonlyArray<Asked<A, B, E>>> => {
  const groups: Array<Array<Asked<A, B, E>>> = []
  let left = 0
  for (const call of calls) {
    const weight = weigh(call.item)
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
  const { alone, together, later = endOfTurn } = combination
  const answer = (group: ReadonlyArray<Asked<A, B, E>>): void => {
    const [first] = group
    if (first === undefined) return
    if (group.length === 1) return first.resume(alone(first.item))
    Effect.runForkWith(first.context)(together(group.map(({ item }) => item))).addObserver((exit) => {
      const answers: ReadonlyMap<number, B> = Exit.isSuccess(exit) ? exit.value : new Map()
      for (const [index, { item, resume }] of group.entries()) {
        resume(answers.has(index) ? Effect.succeed(answers.get(index)!) : alone(item))
      }
    })
  }
  return gather(later, (calls) => groupsOf(calls, combination).forEach(answer))
}
