/** A source of random choices that always makes the same ones for a seed. */
export interface Random {
  /** From 0, inclusive, to 1, exclusive. */
  readonly next: () => number
  /** From 0 to `max`, both inclusive. */
  readonly upTo: (max: number) => number
  /** `true` with a probability. */
  readonly chance: (probability: number) => boolean
  /** One of the values. */
  readonly pick: <A>(values: ReadonlyArray<A>) => A
}

/** Starts a {@link Random} at a seed (mulberry32). */
export const makeRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  return {
    next,
    upTo: (max) => Math.floor(next() * (max + 1)),
    chance: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)]!
  }
}
