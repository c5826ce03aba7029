import type { Subscriber } from "../client.ts"
import { watch } from "./heartbeat.ts"

/** What a subscription is for. */
interface SubscriptionOptions {
  /** Every channel that somebody listens to. */
  readonly channels: () => ReadonlyArray<string>
  readonly onMessage: (channel: string, message: string) => void
  /** A new connection hears every channel: what was published before may have gone unheard. */
  readonly onConnected: () => void
}

/** Channels of one command. */
const maxChannels = 1_000

/** In milliseconds: between two attempts to connect, doubling. */
const retryMillis = { min: 50, max: 2_000 }

const ignore = (): void => {}

/**
 * One connection that hears many channels, and is replaced whenever it is lost. ioredis could reconnect by itself, but
 * doesn't say when every channel is heard again nor, on a cluster, that it took another connection.
 */
export class Subscription {
  readonly #open: () => Subscriber
  readonly #options: SubscriptionOptions
  #connection: Subscriber | undefined
  #stopWatching = ignore
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  constructor(open: () => Subscriber, options: SubscriptionOptions) {
    this.#open = open
    this.#options = options
    this.#connect()
  }

  /** Hears a channel, and calls back once it does. Where there is no connection, the next one hears all. */
  add(channel: string, onHeard: () => void): void {
    this.#connection?.subscribe(channel).then(onHeard, ignore)
  }

  remove(channel: string): void {
    this.#connection?.unsubscribe(channel).catch(ignore)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#connection?.disconnect()
  }

  #connect(): void {
    let connection: Subscriber
    try {
      connection = this.#open()
    } catch {
      // None of a cluster's servers is known yet.
      return this.#connectLater()
    }
    connection.on("error", ignore)
    connection.on("messageBuffer", (channel, message) => this.#options.onMessage(String(channel), String(message)))
    connection.on("ready", () => this.#hearAll(connection).catch(() => connection.disconnect()))
    connection.on("end", () => this.#connectLater())
    this.#connection = connection
  }

  async #hearAll(connection: Subscriber): Promise<void> {
    this.#stopWatching = watch(connection)
    const channels = this.#options.channels()
    for (let from = 0; from < channels.length; from += maxChannels) {
      await connection.subscribe(...channels.slice(from, from + maxChannels))
    }
    this.#failures = 0
    this.#options.onConnected()
  }

  #connectLater(): void {
    this.#connection = undefined
    this.#stopWatching()
    if (this.#closed) return
    const delay = Math.min(retryMillis.max, retryMillis.min * 2 ** this.#failures++)
    this.#retry = setTimeout(() => this.#connect(), delay)
  }
}
