import type { Peer } from "../../connection/protocol.ts"
import type { ActiveSubscription } from "../../connection/Subscriptions.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import type { Limits } from "../../wire/limits.ts"
import type { Call } from "./Calls.ts"
import { ChangesStream } from "./ChangesStream.ts"
import type { Wire } from "./wire.ts"

/** What the streams of one connection need of it. */
export interface StreamsOptions {
  readonly peer: Peer
  readonly limits: Limits
  readonly wire: Wire
  readonly encodePage: PageEncoder<ReadonlyArray<Uint8Array>>
  /** Called when another stream took the place of one: at most one follows the store of a key. */
  readonly onReplaced: (id: Call["id"], publicKey: string) => void
}

interface Stream {
  readonly publicKey: string
  readonly changes: ChangesStream
}

/** The streams of changes of one connection, by the calls that asked for them. */
export class Streams {
  readonly #streams = new Map<Call["id"], Stream>()
  readonly #options: StreamsOptions

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  has(id: Call["id"]): boolean {
    return this.#streams.has(id)
  }

  /** The way of a subscription's entries to the client. */
  begin(id: Call["id"], publicKey: string): Sink {
    const { encodePage, limits, onReplaced, peer, wire } = this.#options
    for (const [former, stream] of this.#streams) {
      if (stream.publicKey !== publicKey) continue
      this.end(former)
      onReplaced(former, publicKey)
    }
    const { account, outflow } = peer
    const changes = new ChangesStream({ account, outflow, limits, encodePage, frame: wire.chunksOf(id) })
    this.#streams.set(id, { publicKey, changes })
    return changes
  }

  /** The client took a `Chunk`. Returns `false` when it was sent none. */
  acknowledge(id: Call["id"]): boolean {
    return this.#streams.get(id)?.changes.acknowledge() ?? false
  }

  /** Forgets a stream, and lets go of what waits for it. */
  end(id: Call["id"]): ActiveSubscription["publicKey"] | undefined {
    const stream = this.#streams.get(id)
    this.#streams.delete(id)
    stream?.changes.end()
    return stream?.publicKey
  }
}
