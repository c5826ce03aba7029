import { Effect } from "effect"

/**
 * Where peers wait, before the upgrade, while too many connections are open that have proved no key. Devices that come back
 * together would otherwise take the places of those that are just being asked for their proofs. Who came first goes in first.
 */
export class Door {
  readonly #places: () => number
  readonly #waiting = new Set<() => void>()
  /** Those who were let in and are not there yet. */
  #expected = 0

  /** @param places how many connections more there may be that have proved no key */
  constructor(places: () => number) {
    this.#places = places
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Waits until there is a place. */
  readonly passed: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const goIn = () => {
      this.#expected++
      resume(Effect.void)
    }
    if (this.#waiting.size === 0 && this.#room > 0) return goIn()
    this.#waiting.add(goIn)
    return Effect.sync(() => void this.#waiting.delete(goIn))
  })

  /** Somebody is there who was let in. */
  arrived(): void {
    this.#expected = Math.max(0, this.#expected - 1)
  }

  /** Lets in as many as there are places for. */
  open(): void {
    for (const goIn of this.#waiting) {
      if (this.#room <= 0) return
      this.#waiting.delete(goIn)
      goIn()
    }
  }

  /** Who was let in and isn't there by now has left. */
  expectNobody(): void {
    this.#expected = 0
    this.open()
  }

  get #room(): number {
    return this.#places() - this.#expected
  }
}
