import { Effect } from "effect"

/** How long a crowd is counted. */
const countMillis = 1_000

/** More than so many in that time are a crowd. */
const maxAlone = 256

/** How long those of a crowd wait for each other. */
const gatherMillis = 10

/** How many go on at the same time: what they do at once holds up all others. */
const maxTogether = 64

/**
 * Lets those who come in a crowd go on together, every ten milliseconds: a storage then looks up in one statement what many of
 * them ask for. Thousands of devices come back after a deploy, and each statement costs more than what it carries. Where few
 * come, nobody waits.
 */
export class Crowd {
  readonly #now: () => number
  readonly #fork: (effect: Effect.Effect<void>) => void
  #since = 0
  /** How many came since then, and in the time of the same length before it. */
  #count = 0
  #before = 0
  #waiting: Array<() => void> = []

  /** @param fork runs what is nobody's own */
  constructor(now: () => number, fork: (effect: Effect.Effect<void>) => void) {
    this.#now = now
    this.#fork = fork
  }

  /** Waits for the others, if they are many. It counts when it is called. */
  gather(): Effect.Effect<void> {
    return this.#isCrowded() ? this.#gathered : Effect.void
  }

  #isCrowded(): boolean {
    const passed = this.#now() - this.#since
    if (passed >= countMillis || passed < 0) {
      this.#before = passed < 2 * countMillis ? this.#count : 0
      this.#count = 0
      this.#since += passed
    }
    return ++this.#count > maxAlone || this.#before > maxAlone
  }

  readonly #gathered: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#waiting.push(() => resume(Effect.void)) === 1) this.#letGoOn()
  })

  /** Lets those go on who wait, some at a time, until nobody does. */
  #letGoOn(): void {
    const goOn = Effect.sync(() => {
      const together = this.#waiting.splice(0, maxTogether)
      if (this.#waiting.length > 0) this.#letGoOn()
      for (const resume of together) resume()
    })
    this.#fork(Effect.andThen(Effect.sleep(gatherMillis), goOn))
  }
}
