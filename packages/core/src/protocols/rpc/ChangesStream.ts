import { Effect } from "effect"
import type { Account } from "../../connection/Account.ts"
import type { Outflow } from "../../connection/Outflow.ts"
import type { Page, PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import type { Limits } from "../../wire/limits.ts"

/** Frames that were sent, and where they end in the bytes of the connection. */
interface Sent {
  readonly bytes: number
  readonly end: number
}

/** What a stream of changes needs of its connection. */
export interface ChangesStreamOptions {
  readonly outflow: Outflow
  /** Where what waits here counts. */
  readonly account: Account
  readonly limits: Pick<Limits, "outboundHighWaterBytes">
  readonly encodePage: PageEncoder<ReadonlyArray<Uint8Array>>
  /** The frame around the values of a `Chunk`. */
  readonly frame: (values: Uint8Array) => Uint8Array
}

/**
 * The changes of one subscription on their way to a stock client, which acknowledges each `Chunk` when it has taken it. No
 * more than `outboundHighWaterBytes` are on their way unacknowledged; the rest of a big page waits here.
 */
export class ChangesStream implements Sink {
  readonly keepsSequencesWhole = true
  private readonly options: ChangesStreamOptions
  private readonly unacknowledged: Array<Sent> = []
  private unacknowledgedBytes = 0
  private pending: ReadonlyArray<Uint8Array> = []
  private waiting: Array<() => void> = []

  constructor(options: ChangesStreamOptions) {
    this.options = options
  }

  readonly deliver = (page: Page, from: number): void => {
    const { encodePage } = this.options
    const values = from === 0 ? page.encoded(encodePage) : encodePage(page.entries.slice(from))
    this.pending = this.pending.concat(values)
    this.options.account.changeWaiting(bytesOf(values))
    this.pump()
  }

  readonly ready = (): boolean => this.hasRoom && this.options.outflow.ready()

  readonly drained: Effect.Effect<void> = Effect.suspend(() => Effect.andThen(this.room, this.options.outflow.drained))

  /** It is for people that our own clients are told: a stock one learns nothing of it. */
  readonly caughtUp = (): void => {}

  /** The client took the oldest `Chunk` of those on their way. Answers `false` when none is. */
  acknowledge(): boolean {
    const oldest = this.unacknowledged.shift()
    if (oldest === undefined) return false
    this.unacknowledgedBytes -= oldest.bytes
    this.options.outflow.readUpTo(oldest.end)
    this.pump()
    if (this.hasRoom) for (const resume of this.waiting.splice(0)) resume()
    return true
  }

  /** The stream is over: what waited for it is let go of. */
  end(): void {
    this.options.account.changeWaiting(-bytesOf(this.pending))
    this.pending = []
  }

  private get hasRoom(): boolean {
    return this.pending.length === 0 && this.unacknowledgedBytes < this.options.limits.outboundHighWaterBytes
  }

  private pump(): void {
    const { frame, limits, outflow } = this.options
    let sent = 0
    while (sent < this.pending.length && this.unacknowledgedBytes < limits.outboundHighWaterBytes) {
      const bytes = frame(this.pending[sent++]!)
      outflow.send([bytes])
      this.unacknowledged.push({ bytes: bytes.byteLength, end: outflow.sentBytes })
      this.unacknowledgedBytes += bytes.byteLength
    }
    this.options.account.changeWaiting(-bytesOf(this.pending.slice(0, sent)))
    this.pending = this.pending.slice(sent)
  }

  private readonly room: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.hasRoom) return resume(Effect.void)
    this.waiting.push(() => resume(Effect.void))
  })
}

const bytesOf = (values: ReadonlyArray<Uint8Array>): number =>
  values.reduce((sum, { byteLength }) => sum + byteLength, 0)
