import type { Random } from "effect/Random"
import { askToRetryAfter } from "../wire/retryAfter.ts"

/** Nobody is asked to stay away any longer, in milliseconds. */
const maxSpreadMillis = 30_000

/** Within which devices come back by themselves: a spread that is no longer is not worth a word. */
const leastSpreadMillis = 250

/**
 * How the devices come back that this process loses together, when it is deployed anew or dies: so many a second as whoever
 * takes them can connect, rather than all at once.
 */
export class Comeback {
  readonly #perSecond: number
  readonly #random: Random

  /** @param perSecond devices that come back in a second */
  constructor(perSecond: number, random: Random) {
    this.#perSecond = perSecond
    this.#random = random
  }

  /** Over how many milliseconds so many devices spread, 30,000 at most. */
  spread(connections: number): number {
    return Math.min(maxSpreadMillis, (connections * 1_000) / this.#perSecond)
  }

  /**
   * The same for those who are told of it while all is well. It goes up in steps, each twice as long as the one before, so
   * that it seldom has to be told again; 0 where there are too few of them to matter.
   */
  announced(connections: number): number {
    const spread = this.spread(connections)
    if (spread <= leastSpreadMillis) return 0
    return Math.min(maxSpreadMillis, leastSpreadMillis * 2 ** Math.ceil(Math.log2(spread / leastSpreadMillis)))
  }

  /** A close reason for one of so many connections that are closed together: it says when this one is to come back. */
  reason(words: string, connections: number): string {
    return askToRetryAfter(words, this.#random.nextDoubleUnsafe() * this.spread(connections))
  }
}
