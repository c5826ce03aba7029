import { Effect, Latch, Queue } from "effect"

/** How often one looks whether a journal that has something to do is done. */
const lookMillis = 20

/** A place in what was queued: sequences may repeat, turns don't. */
interface Mark {
  readonly turn: number
  readonly sequence: number
}

/**
 * How far the consumer of a queue is. It takes all there is, and comes back when that is committed: so what it took is
 * committed once it took again, or waits.
 */
export class Delivery {
  readonly #queue: Queue.Dequeue<unknown, unknown>
  readonly #busy = Latch.makeUnsafe()
  #committed: Mark
  #taken: Mark
  #queued: Mark

  /** @param committed the sequence that the journal has */
  constructor(queue: Queue.Dequeue<unknown, unknown>, committed: number) {
    this.#queue = queue
    this.#committed = this.#taken = this.#queued = { turn: 0, sequence: committed }
  }

  /** The last sequence that the journal has for certain. */
  get committed(): number {
    return this.#committed.sequence
  }

  /** Whether the journal has all that was queued. */
  get settled(): boolean {
    return this.#committed.turn === this.#queued.turn
  }

  /** Entries up to this sequence enter the queue now, and haven't yet: what left it before can still be seen. */
  next(last: number): void {
    this.look()
    this.#queued = { turn: this.#queued.turn + 1, sequence: last }
    this.#busy.openUnsafe()
  }

  /** Finds out how far the consumer is. */
  look(): void {
    if (Queue.sizeUnsafe(this.#queue) > 0) return
    if (this.#taken !== this.#queued) {
      this.#committed = this.#taken
      this.#taken = this.#queued
    }
    const { state } = this.#queue
    if (state._tag === "Open" && state.takers.size > 0) this.#committed = this.#taken
  }

  /** Calls `changed` whenever the journal is further, as soon as that can be known. */
  follow(changed: () => void): Effect.Effect<never> {
    return this.#busy.await.pipe(
      Effect.andThen(Effect.sleep(lookMillis)),
      Effect.andThen(
        Effect.sync(() => {
          const before = this.#committed
          this.look()
          if (this.settled) this.#busy.closeUnsafe()
          if (this.#committed !== before) changed()
        })
      ),
      Effect.forever
    )
  }
}
