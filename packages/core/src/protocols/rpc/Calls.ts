import { Effect } from "effect"

/** A call that a client made and that was not answered yet. */
export interface Call {
  readonly id: string | number
  readonly tag: string
  readonly payload: Uint8Array
  /** Whether the rate limit let it in. */
  readonly isAdmitted: boolean
  /** Whether the client still waits for the answer. */
  isWanted: boolean
}

/** The calls of one connection that are not answered yet. They begin one after the other, in the order of their arrival. */
export class Calls {
  private readonly open = new Map<Call["id"], Call>()
  private waiting: Array<Call> = []
  private working = false
  private readonly perform: (call: Call) => Effect.Effect<void>
  private readonly run: (effect: Effect.Effect<void>) => void

  /** @param perform may not fail @param run starts what performs the calls */
  constructor(perform: (call: Call) => Effect.Effect<void>, run: (effect: Effect.Effect<void>) => void) {
    this.perform = perform
    this.run = run
  }

  get size(): number {
    return this.open.size
  }

  has(id: Call["id"]): boolean {
    return this.open.has(id)
  }

  add(call: Call): void {
    this.open.set(call.id, call)
    this.waiting.push(call)
    if (this.working) return
    this.working = true
    this.run(this.work)
  }

  /** The call is answered. Answers `false` when it was before. */
  settle(call: Call): boolean {
    return this.open.delete(call.id)
  }

  /** The client doesn't want the answer any more; what was begun goes on. */
  interrupt(id: Call["id"]): void {
    const call = this.open.get(id)
    if (call !== undefined) call.isWanted = false
  }

  /** Begins none of those that wait. */
  clear(): void {
    this.waiting = []
    this.open.clear()
  }

  private readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const call = this.waiting.shift()
    if (call === undefined) {
      this.working = false
      return Effect.void
    }
    return Effect.andThen(this.perform(call), this.work)
  })
}
