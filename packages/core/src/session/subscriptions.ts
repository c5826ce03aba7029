import { Cause, type Effect, Exit, type Fiber } from "effect"
import type { OpenedSubscription } from "../feed/feed.ts"
import type { EntryEncoder, Page } from "../feed/page.ts"
import type { Sink } from "../feed/sink.ts"
import type { StoreErasedError } from "../ports/StorageError.ts"
import type { StoreId } from "../ports/StoreId.ts"
import { changesMessage, changesPrefix } from "../protocol/changes.ts"
import type { Correlation } from "../protocol/errors.ts"
import type { Outbound } from "./outbound.ts"

/** A live subscription of one connection. */
export interface ActiveSubscription {
  readonly publicKey: string
  readonly storeId: StoreId
  readonly id: number | undefined
}

/** What subscriptions need of their connection. */
export interface SubscriptionsOptions {
  readonly outbound: Outbound
  /** One function for the whole server, so that each page is encoded once for all of its connections. */
  readonly encodeEntry: EntryEncoder
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Called when a subscription ended by itself, which only a failure makes it do. */
  readonly onFailed: (cause: Cause.Cause<StoreErasedError>, request: Correlation) => void
}

interface Running extends ActiveSubscription {
  stopped: boolean
  fiber: Fiber.Fiber<never, StoreErasedError> | undefined
}

/** The subscriptions of one connection, at most one for each key. */
export class Subscriptions {
  private readonly running = new Map<string, Running>()
  private ended = false
  private readonly options: SubscriptionsOptions

  constructor(options: SubscriptionsOptions) {
    this.options = options
  }

  get size(): number {
    return this.running.size
  }

  has(publicKey: string): boolean {
    return this.running.has(publicKey)
  }

  get(publicKey: string): ActiveSubscription | undefined {
    return this.running.get(publicKey)
  }

  /** Whether none may be started any more. */
  get isEnded(): boolean {
    return this.ended
  }

  /** The subscriptions as they are now. */
  all(): ReadonlyArray<ActiveSubscription> {
    return [...this.running.values()]
  }

  /**
   * Starts a subscription in place of the key's former one, and says so before the first entry goes out. It does nothing
   * after the end.
   */
  start(subscription: ActiveSubscription, opened: OpenedSubscription): void {
    if (this.ended) return
    this.stop(subscription.publicKey)
    const running: Running = { ...subscription, stopped: false, fiber: undefined }
    this.running.set(subscription.publicKey, running)
    this.options.outbound.send({ _tag: "Subscribed", ...tagsOf(subscription), head: opened.head })
    running.fiber = this.options.run(opened.run(this.sink(running)))
    running.fiber.addObserver((exit) => this.failed(running, exit))
  }

  /** Ends a key's subscription; with an id, only if it is still that one. */
  stop(publicKey: string, id?: number | undefined): void {
    const running = this.running.get(publicKey)
    if (running === undefined || (id !== undefined && running.id !== id)) return
    this.running.delete(publicKey)
    running.stopped = true
    running.fiber?.interruptUnsafe()
  }

  /** Stops all of them, for good. */
  end(): void {
    this.ended = true
    for (const publicKey of [...this.running.keys()]) this.stop(publicKey)
  }

  private failed(running: Running, exit: Exit.Exit<never, StoreErasedError>): void {
    if (running.stopped || !Exit.isFailure(exit)) return
    running.stopped = true
    this.running.delete(running.publicKey)
    if (!Cause.hasInterruptsOnly(exit.cause)) {
      this.options.onFailed(exit.cause, { requestTag: "RequestChanges", ...tagsOf(running) })
    }
  }

  private sink(running: Running): Sink {
    const { encodeEntry, outbound } = this.options
    const prefix = changesPrefix(tagsOf(running))
    return {
      deliver: (page: Page, from: number) => {
        if (running.stopped) return
        outbound.sendEncoded(changesMessage(prefix, page.encoded(encodeEntry), from, page.entries.length))
      },
      ready: outbound.ready,
      drained: outbound.drained,
      caughtUp: (head) => {
        if (!running.stopped) outbound.send({ _tag: "CaughtUp", ...tagsOf(running), head })
      }
    }
  }
}

/** What every message about a subscription carries. */
const tagsOf = ({ id, publicKey }: ActiveSubscription): { readonly publicKey: string; readonly id?: number } =>
  id === undefined ? { publicKey } : { publicKey, id }
