/** Values in the order they came in; `take` waits for the next one. */
export class Inbox<A> {
  readonly #values: Array<A> = []
  readonly #takers: Array<(value: A) => void> = []

  /** Values that nobody took yet. */
  get size(): number {
    return this.#values.length
  }

  put(value: A): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#values.push(value)
    else taker(value)
  }

  take(): Promise<A> {
    return this.#values.length === 0
      ? new Promise((resolve) => this.#takers.push(resolve))
      : Promise.resolve(this.#values.shift() as A)
  }
}
