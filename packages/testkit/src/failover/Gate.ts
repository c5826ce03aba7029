/** Something that handlers pass at once, or wait at. */
export class Gate {
  #opened: Promise<void> = Promise.resolve()
  #open: () => void = () => {}

  /** Resolves when it is open. */
  readonly pass = (): Promise<void> => this.#opened

  /** Lets nobody pass until it is opened. */
  close(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#opened = promise
    this.#open = resolve
  }

  /** Lets all pass who wait, and who come. */
  open(): void {
    this.#open()
  }
}
