import { randomUUID } from "node:crypto"
import { AccessListeners, type StoreId, type Wakeup, WakeupListeners } from "@eventlog-server/core/backend"
import type { Stream } from "effect"
import type { Subscriber } from "../client.ts"
import type { Keys } from "../keys.ts"
import { Subscription } from "./Subscription.ts"

/** What `Wakeups` needs to know. */
interface WakeupOptions {
  readonly keys: Keys
  /** Opens a connection. */
  readonly open: () => Subscriber
  /** Called for each new connection, before anybody is woken. */
  readonly onConnected: () => void
}

/**
 * The wake-ups of one node: commits are published, and whoever listens to a store hears of them.
 *
 * The node itself doesn't wait for that: it wakes its own listeners when a commit is answered, and passes over the message
 * that it published.
 */
export class Wakeups {
  readonly #listeners: WakeupListeners
  readonly #subscription: Subscription
  #name = randomUUID()

  /** Those who are told of keys whose access changed, by the node itself or by others. */
  readonly access = new AccessListeners()

  constructor({ keys, onConnected, open }: WakeupOptions) {
    const listeners = new WakeupListeners({
      onListen: (storeId, first) => this.#subscription.add(keys.channel(storeId), first),
      onSilent: (storeId) => this.#subscription.remove(keys.channel(storeId))
    })
    this.#listeners = listeners
    // The access channel is always heard.
    this.#subscription = new Subscription(open, {
      channels: () => [keys.accessChannel, ...listeners.storeIds.map(keys.channel)],
      onMessage: (channel, message) => {
        if (channel === keys.accessChannel) this.access.tell({ publicKey: message })
        else this.#hear(keys.storeOf(channel), message)
      },
      onConnected: () => {
        onConnected()
        this.wakeAll()
      }
    })
  }

  /** The wake-ups of a store. The first one comes as soon as nothing can go unheard. */
  of(storeId: StoreId): Stream.Stream<Wakeup> {
    return this.#listeners.wakeups(storeId)
  }

  /**
   * Commits something, with the message that is to be published with it: for a new head, a space and the head are added.
   *
   * Nobody knows whether a commit that failed happens after all. What it then publishes may not be passed over, so the
   * node takes another name.
   */
  async tell(storeId: StoreId, commit: (message: string) => Promise<Wakeup>): Promise<void> {
    try {
      this.#listeners.wake(storeId, await commit(this.#name))
    } catch (error) {
      this.#name = randomUUID()
      this.#listeners.wake(storeId)
      throw error
    }
  }

  /** Wakes everybody, and tells that any key's access may have changed. */
  wakeAll(): void {
    this.#listeners.wakeAll()
    this.access.tell("any")
  }

  close(): void {
    this.#subscription.close()
  }

  #hear(storeId: StoreId, message: string): void {
    const [name, head] = message.split(" ")
    if (name !== this.#name) this.#listeners.wake(storeId, head === undefined ? {} : { head: Number(head) })
  }
}
