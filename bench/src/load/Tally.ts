import { Histogram } from "../statistics.ts"
import type { Clock, Counted } from "./clock.ts"

/** Counts what a job does: all of it, to see when it is steady, and what is done while the clock runs. */
export class Tally {
  readonly #clock: Clock
  readonly #latencies = new Histogram()
  #all = 0
  #counted = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Some work is done that took a time since `sentAt`, of `performance.now`. */
  add(amount: number, sentAt: number): void {
    this.#all += amount
    if (!this.#clock.isRunning()) return
    this.#counted += amount
    this.#latencies.record(Math.max(1, (performance.now() - sentAt) * 1_000))
  }

  /** Lets the clock run; resolves with the rate and the latencies. */
  async run(seconds: number): Promise<Record<string, number>> {
    return this.#summary(await this.#clock.run(seconds, () => this.#all))
  }

  #summary({ seconds, warmUp }: Counted): Record<string, number> {
    return { value: this.#counted / seconds, ...this.#latencies.summary(), "warm-up s": warmUp }
  }
}
