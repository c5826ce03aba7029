import type { StoreId } from "@eventlog-server/core"
import { Effect, Queue, Stream } from "effect"

interface ActiveStore {
  readonly listeners: Set<() => void>
  /** What the last look at the store found; `undefined` before the first. */
  seen: string | undefined
}

/** The stores that somebody on this node listens to. Whoever hears of a change tells them. */
export class ActiveStores {
  readonly #stores = new Map<StoreId, ActiveStore>()
  readonly #onActivity: () => void

  /** @param onActivity called when somebody begins to listen, and when this node changes a store */
  constructor(onActivity: () => void) {
    this.#onActivity = onActivity
  }

  get ids(): ReadonlyArray<StoreId> {
    return Array.from(this.#stores.keys())
  }

  /** This node changed the store. */
  changed(storeId: StoreId): void {
    this.wake(storeId)
    this.#onActivity()
  }

  /** The store may have changed. */
  wake(storeId: string): void {
    for (const listener of this.#stores.get(storeId as StoreId)?.listeners ?? []) listener()
  }

  /** Any store may have changed. */
  wakeAll(): void {
    for (const storeId of this.#stores.keys()) this.wake(storeId)
  }

  /** Somebody looked at a store. Wakes its listeners where it isn't as it was, and answers whether it did. */
  look(storeId: string, state: string): boolean {
    const store = this.#stores.get(storeId as StoreId)
    if (store === undefined || store.seen === state) return false
    store.seen = state
    this.wake(storeId)
    return true
  }

  /** Emits once at the start, then whenever the store may have changed; what nobody takes collapses. */
  wakeups(storeId: StoreId): Stream.Stream<void> {
    return Stream.callback<void>(
      (queue) => {
        const listener = () => void Queue.offerUnsafe(queue, undefined)
        return Effect.acquireRelease(
          Effect.sync(() => {
            this.#add(storeId, listener)
            listener()
          }),
          () => Effect.sync(() => this.#remove(storeId, listener))
        )
      },
      { bufferSize: 1, strategy: "dropping" }
    )
  }

  #add(storeId: StoreId, listener: () => void): void {
    const store = this.#stores.get(storeId)
    if (store === undefined) this.#stores.set(storeId, { listeners: new Set([listener]), seen: undefined })
    else store.listeners.add(listener)
    this.#onActivity()
  }

  #remove(storeId: StoreId, listener: () => void): void {
    const store = this.#stores.get(storeId)
    store?.listeners.delete(listener)
    if (store?.listeners.size === 0) this.#stores.delete(storeId)
  }
}
