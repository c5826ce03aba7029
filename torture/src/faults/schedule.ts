import { makeRandom } from "../random.ts"

/** A kind of fault, and how often it comes compared with the others. */
export interface FaultKind {
  readonly name: string
  readonly weight: number
}

/** A fault that is to happen. */
export interface Planned {
  /** Milliseconds after the start. */
  readonly at: number
  readonly name: string
  /** From 0, inclusive, to 1, exclusive: whom it hits, and how hard. */
  readonly whom: number
  readonly force: number
}

/** Milliseconds between two faults, on average. */
const meanPause = 120

/** The faults of a run. The same seed, duration and kinds give the same ones. */
export const makeSchedule = (seed: number, millis: number, kinds: ReadonlyArray<FaultKind>): ReadonlyArray<Planned> => {
  const random = makeRandom(seed)
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0)
  const pick = (): string => {
    let left = random.next() * total
    for (const { name, weight } of kinds) {
      left -= weight
      if (left < 0) return name
    }
    return kinds[0]!.name
  }
  const planned: Array<Planned> = []
  for (let at = random.next() * meanPause; at < millis; at += random.next() * 2 * meanPause) {
    planned.push({ at, name: pick(), whom: random.next(), force: random.next() })
  }
  return planned
}
