/** A timer that begins anew each time that something happens. */
export class Patience {
  readonly #onLost: () => void
  #timer: NodeJS.Timeout

  /** @param onLost called when nothing happened for so many milliseconds */
  constructor(millis: number, onLost: () => void) {
    this.#onLost = onLost
    this.#timer = setTimeout(onLost, millis)
  }

  /** Something happened: waits so many milliseconds from now. */
  renew(millis: number): void {
    this.end()
    this.#timer = setTimeout(this.#onLost, millis)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
