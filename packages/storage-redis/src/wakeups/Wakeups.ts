import { randomUUID } from "node:crypto"
import { AccessListeners } from "@eventlog-server/core"
import type { Subscriber } from "../client.ts"
import { type Listener, Listeners } from "./Listeners.ts"
import { Subscription } from "./Subscription.ts"

/** What `Wakeups` needs to know. */
interface WakeupOptions {
  /** Opens a connection. */
  readonly open: () => Subscriber
  /** Called for each new connection, before anybody is woken. */
  readonly onConnected: () => void
  /** The channel that keys are named on whose access changed. It is always heard. */
  readonly accessChannel: string
}

/**
 * The wake-ups of one node: commits are published, and whoever listens to a store hears of them.
 *
 * The node itself doesn't wait for that: it wakes its own listeners when a commit is answered, and passes over the message
 * that it published.
 */
export class Wakeups {
  readonly #listeners = new Listeners()
  readonly #subscription: Subscription
  #name = randomUUID()

  /** Those who are told of keys whose access changed, by the node itself or by others. */
  readonly access = new AccessListeners()

  constructor({ accessChannel, onConnected, open }: WakeupOptions) {
    this.#subscription = new Subscription(open, {
      channels: () => [accessChannel, ...this.#listeners.channels()],
      onMessage: (channel, message) => {
        if (channel === accessChannel) this.access.tell({ publicKey: message })
        else if (message !== this.#name) this.#listeners.wake(channel)
      },
      onConnected: () => {
        onConnected()
        this.wakeAll()
      }
    })
  }

  /** Wakes a listener as soon as nothing can go unheard, then for every commit; answers how to stop. */
  listen(channel: string, listener: Listener): () => void {
    this.#listeners.add(channel, listener)
    this.#subscription.add(channel, listener)
    return () => {
      if (this.#listeners.remove(channel, listener)) this.#subscription.remove(channel)
    }
  }

  /**
   * Commits something, with the message that is published with it.
   *
   * Nobody knows whether a commit that failed happens after all. What it then publishes may not be passed over, so the
   * node takes another name.
   */
  async tell<A>(channel: string, commit: (message: string) => Promise<A>): Promise<A> {
    try {
      return await commit(this.#name)
    } catch (error) {
      this.#name = randomUUID()
      throw error
    } finally {
      this.#listeners.wake(channel)
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
}
