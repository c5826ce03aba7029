import { Effect, Latch, Queue, Stream } from "effect"
import type { AccessChange } from "./EventLogServerStoreRegistry.ts"

/** Keys that wait for a listener at most; where there are more, `"any"` waits in their place. */
const maxWaiting = 256

/** What a listener wasn't given yet. A key waits once, however often it changes. */
class Waiting {
  #publicKeys = new Set<string>()
  #isAny = true

  add(change: AccessChange): void {
    if (this.#isAny) return
    if (change !== "any") this.#publicKeys.add(change.publicKey)
    if (change === "any" || this.#publicKeys.size > maxWaiting) {
      this.#isAny = true
      this.#publicKeys = new Set()
    }
  }

  take(): ReadonlyArray<AccessChange> {
    const changes: ReadonlyArray<AccessChange> = this.#isAny
      ? ["any"]
      : Array.from(this.#publicKeys, (publicKey) => ({ publicKey }))
    this.#isAny = false
    this.#publicKeys = new Set()
    return changes
  }
}

/**
 * Who listens to `EventLogServerStoreRegistry.changes` on a node, for storages: whoever hears of a change tells them.
 * A listener that is slow costs a few hundred keys of memory, and keeps nobody waiting.
 */
export class AccessListeners {
  readonly #listeners = new Set<(change: AccessChange) => void>()
  readonly #isHeard = Latch.makeUnsafe(false)

  /** Returns as soon as somebody listens. */
  readonly heard: Effect.Effect<void> = this.#isHeard.await

  /** Emits `"any"` at the start, then what `tell` is given. Many keys that nobody took become `"any"`. */
  readonly changes: Stream.Stream<AccessChange> = Stream.suspend(() => {
    const waiting = new Waiting()
    const signals = Stream.callback<void>(
      (queue) => {
        const listener = (change: AccessChange) => {
          waiting.add(change)
          Queue.offerUnsafe(queue, undefined)
        }
        return Effect.acquireRelease(
          Effect.sync(() => {
            this.#add(listener)
            listener("any")
          }),
          () => Effect.sync(() => this.#remove(listener))
        )
      },
      { bufferSize: 1, strategy: "dropping" }
    )
    return Stream.flatMap(signals, () => Stream.fromIterable(waiting.take()))
  })

  /** The access of a key may have changed, or that of any. */
  tell(change: AccessChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #add(listener: (change: AccessChange) => void): void {
    this.#listeners.add(listener)
    this.#isHeard.openUnsafe()
  }

  #remove(listener: (change: AccessChange) => void): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size === 0) this.#isHeard.closeUnsafe()
  }
}
