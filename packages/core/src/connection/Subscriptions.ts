import { Cause, type Effect, Exit, type Fiber } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import type { OpenedSubscription } from "../feed/feed.ts"
import type { Sink } from "../feed/sink.ts"
import type { FeedEnd } from "../feed/tail.ts"
import type { DomainError } from "../wire/errors.ts"

/** A live subscription of one connection. */
export interface ActiveSubscription {
  readonly publicKey: string
  readonly storeId: StoreId
  /** What the client calls it, where it gave it a name. */
  readonly id: number | string | undefined
  /** After how much it ends by itself, where the client said so. */
  readonly portion?: Portion | undefined
}

/** How much a client has room for. */
export interface Portion {
  /** @default as many as there are */
  readonly maxEntries?: number | undefined
  /** Bytes of payload, event name and primary key. @default as many as there are */
  readonly maxBytes?: number | undefined
}

/** What subscriptions need of their connection. */
export interface SubscriptionsOptions {
  /** Called before the first entry goes out; returns where the entries go. */
  readonly begin: (subscription: ActiveSubscription, head: number) => Sink
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Called when a subscription ended that neither its client nor the end of the connection ended. */
  readonly onLost: (subscription: ActiveSubscription, cause: Cause.Cause<DomainError>) => void
}

interface Running extends ActiveSubscription {
  stopped: boolean
  fiber: Fiber.Fiber<never, FeedEnd> | undefined
}

/** The subscriptions of one connection, at most one for each key. */
export class Subscriptions {
  readonly #running = new Map<string, Running>()
  #ended = false
  readonly #options: SubscriptionsOptions

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#running.size
  }

  has(publicKey: string): boolean {
    return this.#running.has(publicKey)
  }

  get(publicKey: string): ActiveSubscription | undefined {
    return this.#running.get(publicKey)
  }

  /** Whether none may be started any more. */
  get isEnded(): boolean {
    return this.#ended
  }

  /** The subscriptions as they are now. */
  all(): ReadonlyArray<ActiveSubscription> {
    return [...this.#running.values()]
  }

  /** Starts a subscription in place of the key's former one. It does nothing after the end. */
  start(subscription: ActiveSubscription, opened: OpenedSubscription): void {
    if (this.#ended) return
    this.stop(subscription.publicKey)
    const running: Running = { ...subscription, stopped: false, fiber: undefined }
    this.#running.set(subscription.publicKey, running)
    const sink = this.#options.begin(subscription, opened.head)
    const portioned = withinPortion(subscription.portion, sink, () => this.stop(running.publicKey, running.id))
    running.fiber = this.#options.run(opened.run(whileRunning(running, portioned)))
    // What was sent at once may have been too much for the connection, and have ended it before there was a fiber to end.
    if (running.stopped) return running.fiber.interruptUnsafe()
    running.fiber.addObserver((exit) => this.#failed(running, exit))
  }

  /** Ends a key's subscription; with an id, only if it is still that one. */
  stop(publicKey: string, id?: ActiveSubscription["id"]): void {
    const running = this.#running.get(publicKey)
    if (running === undefined || (id !== undefined && running.id !== id)) return
    this.#running.delete(publicKey)
    running.stopped = true
    running.fiber?.interruptUnsafe()
  }

  /** Ends a key's subscription, if it has one, and tells of it. */
  lose(publicKey: string, error: DomainError): void {
    const running = this.#running.get(publicKey)
    if (running === undefined) return
    this.stop(publicKey)
    this.#options.onLost(running, Cause.fail(error))
  }

  /** Stops all of them, for good. */
  end(): void {
    this.#ended = true
    for (const publicKey of [...this.#running.keys()]) this.stop(publicKey)
  }

  #failed(running: Running, exit: Exit.Exit<never, FeedEnd>): void {
    if (running.stopped || !Exit.isFailure(exit)) return
    running.stopped = true
    this.#running.delete(running.publicKey)
    if (!Cause.hasInterruptsOnly(exit.cause)) this.#options.onLost(running, exit.cause)
  }
}

/** A sink that ends its subscription with the page that fills a portion. */
const withinPortion = (portion: Portion | undefined, sink: Sink, end: () => void): Sink => {
  if (portion === undefined) return sink
  const { maxBytes = Number.POSITIVE_INFINITY, maxEntries = Number.POSITIVE_INFINITY } = portion
  let entries = 0
  let bytes = 0
  return {
    ...sink,
    deliver: (page, from) => {
      sink.deliver(page, from)
      entries += page.entries.length - from
      bytes += page.bytesFrom(from)
      if (entries >= maxEntries || bytes >= maxBytes) end()
    }
  }
}

/** A sink that nothing reaches any more once its subscription was stopped. */
const whileRunning = (running: Running, sink: Sink): Sink => ({
  ...sink,
  deliver: (page, from) => {
    if (!running.stopped) sink.deliver(page, from)
  },
  caughtUp: (head) => {
    if (!running.stopped) sink.caughtUp(head)
  }
})
