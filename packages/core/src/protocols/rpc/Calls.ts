import { Effect } from "effect"
import type { Holding } from "../../connection/Account.ts"
import { isDone } from "../../connection/atOnce.ts"

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

  /**
   * @param perform begins a call, and returns what is left to be done before the next one begins; it neither throws nor fails
   * @param run starts what has to be waited for
   */
  constructor(perform: (call: Call) => Effect.Effect<void>, run: (effect: Effect.Effect<void>) => void) {
    this.#perform = perform
    this.#run = run
  }

  has(id: Call["id"]): boolean {
    return this.#open.has(id)
  }

  add(call: Call): void {
    this.#open.set(call.id, call)
    if (this.#isWorking) return void this.#waiting.push(call)
    this.#isWorking = true
    const left = this.#perform(call)
    if (isDone(left) && this.#waiting.length === 0) this.#isWorking = false
    else this.#run(Effect.andThen(left, this.#work))
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
