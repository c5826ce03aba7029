import { Effect } from "effect"
import type { Holding } from "../../connection/Account.ts"

/** A call that a client made and that was not answered yet. */
export interface Call {
  readonly id: string | number
  readonly tag: string
  readonly payload: Uint8Array
  /** What it holds until it is answered. */
  readonly holding: Holding
  /** Whether the client still waits for the answer. */
  isWanted: boolean
}

/** The calls of one connection that are not answered yet. They begin one after the other, in the order of their arrival. */
export class Calls {
  readonly #open = new Map<Call["id"], Call>()
  #waiting: Array<Call> = []
  #isWorking = false
  readonly #perform: (call: Call) => Effect.Effect<void>
  readonly #run: (effect: Effect.Effect<void>) => void

  /** @param perform may not fail @param run starts what performs the calls */
  constructor(perform: (call: Call) => Effect.Effect<void>, run: (effect: Effect.Effect<void>) => void) {
    this.#perform = perform
    this.#run = run
  }

  has(id: Call["id"]): boolean {
    return this.#open.has(id)
  }

  add(call: Call): void {
    this.#open.set(call.id, call)
    this.#waiting.push(call)
    if (this.#isWorking) return
    this.#isWorking = true
    this.#run(this.#work)
  }

  /** The call is answered. */
  settle(call: Call): void {
    this.#open.delete(call.id)
    call.holding.release()
  }

  /** The client doesn't want the answer any more; what was begun goes on. */
  interrupt(id: Call["id"]): void {
    const call = this.#open.get(id)
    if (call !== undefined) call.isWanted = false
  }

  readonly #work: Effect.Effect<void> = Effect.suspend(() => {
    const call = this.#waiting.shift()
    if (call === undefined) {
      this.#isWorking = false
      return Effect.void
    }
    return Effect.andThen(this.#perform(call), this.#work)
  })
}
