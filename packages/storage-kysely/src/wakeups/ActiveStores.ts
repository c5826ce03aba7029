import { type StoreId, type Wakeup, WakeupListeners } from "@eventlog-server/core/backend"
import type { Stream } from "effect"

/** A store as somebody found it who looked. */
export interface Sight {
  readonly head: number
  readonly isErased: boolean
}

/** The stores that somebody on this node listens to. Whoever hears of a change tells them. */
export class ActiveStores {
  /** What the last look at each store found. */
  readonly #seen = new Map<StoreId, Sight>()
  readonly #listeners: WakeupListeners
  readonly #onActivity: () => void

  /** @param onActivity called when somebody begins to listen, and when this node changes a store */
  constructor(onActivity: () => void) {
    this.#onActivity = onActivity
    this.#listeners = new WakeupListeners({
      onListen: (_, first) => {
        first()
        onActivity()
      },
      onSilent: (storeId) => void this.#seen.delete(storeId)
    })
  }

  get ids(): ReadonlyArray<StoreId> {
    return this.#listeners.storeIds
  }

  /** This node changed the store. */
  changed(storeId: StoreId, wakeup: Wakeup): void {
    this.wake(storeId, wakeup)
    this.#onActivity()
  }

  /** The store may have changed. */
  wake(storeId: StoreId, wakeup: Wakeup = {}): void {
    this.#listeners.wake(storeId, wakeup)
  }

  /** Any store may have changed. */
  wakeAll(): void {
    this.#listeners.wakeAll()
  }

  /** Somebody looked at a store. Wakes its listeners where it isn't as it was, and tells whether it did. */
  look(storeId: StoreId, sight: Sight): boolean {
    if (this.#listeners.count(storeId) === 0) return false
    const seen = this.#seen.get(storeId)
    if (seen?.head === sight.head && seen.isErased === sight.isErased) return false
    this.#seen.set(storeId, sight)
    // A feed that went back tells nothing to those who wait for what comes behind: they have to look.
    const hasGrown = !sight.isErased && sight.head > (seen?.head ?? 0)
    this.wake(storeId, hasGrown ? { head: sight.head } : {})
    return true
  }

  /** `FeedStore.wakeups`. */
  wakeups(storeId: StoreId): Stream.Stream<Wakeup> {
    return this.#listeners.wakeups(storeId)
  }
}
