import { Effect, Queue, Stream } from "effect"
import type { Wakeup } from "./FeedStore.ts"
import type { StoreId } from "./StoreId.ts"

/** What a listener wasn't given yet: to look, or that the head is at least a number. */
class Pending {
  readonly #signals: Queue.Enqueue<void>
  #wakeup: Wakeup | undefined

  constructor(signals: Queue.Enqueue<void>) {
    this.#signals = signals
  }

  add(wakeup: Wakeup): void {
    this.#wakeup = this.#wakeup === undefined ? wakeup : joinWakeups(this.#wakeup, wakeup)
    Queue.offerUnsafe(this.#signals, undefined)
  }

  /** `undefined` where it was given already, with what came before its signal. */
  take(): Wakeup | undefined {
    const wakeup = this.#wakeup
    this.#wakeup = undefined
    return wakeup
  }
}

/** Two wake-ups in one. Who has to look has to look, whatever else is known of the head. */
export const joinWakeups = ({ head: one }: Wakeup, { head: other }: Wakeup): Wakeup =>
  one === undefined || other === undefined ? {} : { head: Math.max(one, other) }

/** What a storage does when stores are listened to. */
export interface WakeupListenersOptions {
  /**
   * Called when somebody begins to listen to a store, with what wakes them first: to be called as soon as nothing can go
   * unheard. @default it is called at once
   */
  readonly onListen?: ((storeId: StoreId, first: () => void) => void) | undefined
  /** Called when nobody listens to a store any more. */
  readonly onSilent?: ((storeId: StoreId) => void) | undefined
}

/**
 * Who listens to `FeedStore.wakeups` on a node, for storages: whoever hears of a commit wakes them. Wake-ups that a listener
 * didn't take yet become one.
 */
export class WakeupListeners {
  readonly #stores = new Map<StoreId, Set<Pending>>()
  readonly #onListen: (storeId: StoreId, first: () => void) => void
  readonly #onSilent: (storeId: StoreId) => void

  constructor({ onListen = (_, first) => first(), onSilent = () => {} }: WakeupListenersOptions = {}) {
    this.#onListen = onListen
    this.#onSilent = onSilent
  }

  /** The stores that somebody listens to. */
  get storeIds(): ReadonlyArray<StoreId> {
    return Array.from(this.#stores.keys())
  }

  /** How many listen to a store. */
  count(storeId: StoreId): number {
    return this.#stores.get(storeId)?.size ?? 0
  }

  /** `FeedStore.wakeups`. */
  wakeups(storeId: StoreId): Stream.Stream<Wakeup> {
    return Stream.suspend(() => {
      let pending: Pending | undefined
      const signals = Stream.callback<void>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              pending = new Pending(queue)
              this.#add(storeId, pending)
            }),
            () => Effect.sync(() => this.#remove(storeId, pending!))
          ),
        { bufferSize: 1, strategy: "dropping" }
      )
      return Stream.filter(
        Stream.map(signals, () => pending!.take()),
        (wakeup) => wakeup !== undefined
      )
    })
  }

  /** The store may have changed. */
  wake(storeId: StoreId, wakeup: Wakeup = {}): void {
    for (const pending of this.#stores.get(storeId) ?? []) pending.add(wakeup)
  }

  /** Any store may have changed. */
  wakeAll(): void {
    for (const storeId of this.#stores.keys()) this.wake(storeId)
  }

  #add(storeId: StoreId, pending: Pending): void {
    const listeners = this.#stores.get(storeId)
    if (listeners === undefined) this.#stores.set(storeId, new Set([pending]))
    else listeners.add(pending)
    this.#onListen(storeId, () => pending.add({}))
  }

  #remove(storeId: StoreId, pending: Pending): void {
    const listeners = this.#stores.get(storeId)
    listeners?.delete(pending)
    if (listeners?.size !== 0) return
    this.#stores.delete(storeId)
    this.#onSilent(storeId)
  }
}
