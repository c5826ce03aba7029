import { Cause, type Effect, type Fiber } from "effect"
import type { StoreErasedError } from "../../backend/StorageError.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import type { Outflow } from "../../connection/outflow.ts"
import { Subscriptions } from "../../connection/subscriptions.ts"
import type { OpenedSubscription } from "../../feed/feed.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import { RequestError } from "../../wire/errors.ts"
import type { Limits } from "../../wire/limits.ts"
import type { Call } from "./Calls.ts"
import { ChangesStream } from "./ChangesStream.ts"
import type { Wire } from "./wire.ts"

/** What the streams of one connection need of it. */
export interface StreamsOptions {
  readonly outflow: Outflow
  readonly limits: Limits
  readonly wire: Wire
  readonly encodePage: PageEncoder<ReadonlyArray<Uint8Array>>
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Called when a stream is over, but not when its client ended it or the connection did. */
  readonly onOver: (id: Call["id"], publicKey: string, cause: Cause.Cause<StoreErasedError | RequestError>) => void
}

interface Stream {
  readonly publicKey: string
  readonly changes: ChangesStream
}

/** The streams of changes of one connection, by the calls that asked for them; at most one for each key. */
export class Streams {
  readonly subscriptions: Subscriptions
  private readonly streams = new Map<Call["id"], Stream>()
  private readonly options: StreamsOptions

  constructor(options: StreamsOptions) {
    this.options = options
    this.subscriptions = new Subscriptions({
      begin: ({ id, publicKey }) => this.begin(id!, publicKey),
      run: options.run,
      onFailed: (cause, { id, publicKey }) => {
        this.streams.delete(id!)
        options.onOver(id!, publicKey, cause)
      }
    })
  }

  has(id: Call["id"]): boolean {
    return this.streams.has(id)
  }

  start(id: Call["id"], publicKey: string, opened: OpenedSubscription & { readonly storeId: StoreId }): void {
    this.subscriptions.start({ id, publicKey, storeId: opened.storeId }, opened)
  }

  /** The client took a `Chunk`. Answers `false` when it was sent none. */
  acknowledge(id: Call["id"]): boolean {
    return this.streams.get(id)?.changes.acknowledge() ?? false
  }

  /** The client wants no more. */
  stop(id: Call["id"]): void {
    const stream = this.streams.get(id)
    if (stream === undefined) return
    this.streams.delete(id)
    this.subscriptions.stop(stream.publicKey, id)
  }

  /** Ends the stream of a key, and answers the call that asked for it. */
  endOf(publicKey: string): Call["id"] | undefined {
    const id = this.subscriptions.get(publicKey)?.id
    if (id !== undefined) this.stop(id)
    return id
  }

  /** Ends all of them, and lets none begin. */
  end(): void {
    this.subscriptions.end()
    this.streams.clear()
  }

  private begin(id: Call["id"], publicKey: string): Sink {
    const { encodePage, limits, onOver, outflow, wire } = this.options
    for (const [former, stream] of this.streams) {
      if (stream.publicKey !== publicKey) continue
      this.streams.delete(former)
      onOver(former, publicKey, Cause.fail(replaced()))
    }
    const changes = new ChangesStream({ outflow, limits, encodePage, frame: (values) => wire.chunk(id, values) })
    this.streams.set(id, { publicKey, changes })
    return changes
  }
}

const replaced = () => new RequestError({ reason: "Unavailable", message: "Another stream of this key took its place" })
