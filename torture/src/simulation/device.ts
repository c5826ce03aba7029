import type { ProtocolResponseUnencrypted } from "@eventlog-server/core/protocol"
import { Effect, Fiber, Latch } from "effect"
import { EventJournal } from "effect/eventlog"
import type { Random } from "../random.ts"
import type { Recorder } from "../recorder.ts"
import { encodePayload } from "../schema.ts"
import { idOf, placedEntry, seenEntry } from "../seen.ts"
import type { Wire } from "./wire.ts"

type Entry = EventJournal.Entry
type Message<Tag extends ProtocolResponseUnencrypted["_tag"]> = Extract<
  ProtocolResponseUnencrypted,
  { readonly _tag: Tag }
>

/** Entries of one request at most. */
const maxBatch = 6
/** Before a device connects or asks again, in milliseconds. */
export const retryMillis = 300

/** What a device is given. */
export interface DeviceOptions {
  readonly name: string
  readonly store: string
  /** How far its clock is ahead, in milliseconds. */
  readonly clockOffset: number
  /** Whether it may write what the backend can't take, and so never gets rid of it. */
  readonly isPoisoned: boolean
  readonly random: Random
  readonly recorder: Recorder
  readonly connect: Effect.Effect<Wire>
  /** Told when the first entries were received. */
  readonly onFirstPage: () => void
}

/**
 * A device as small as one can be: what it made and did not see acknowledged it sends again, and its cursor is moved by
 * the stream alone.
 */
export class Device {
  readonly name: string
  readonly publicKey: string
  readonly store: string
  /** The next sequence that it lacks. */
  next = 1
  readonly journal = new Set<string>()
  private readonly options: DeviceOptions
  private readonly made: Array<Entry> = []
  private readonly acked = new Set<Entry>()
  private readonly underWay = new Map<number, ReadonlyArray<Entry>>()
  private readonly changed = Latch.makeUnsafe()
  private isGone = false
  private wire: Wire | undefined
  private lives = 0
  private requests = 0
  private subscription: string | undefined

  constructor(options: DeviceOptions) {
    this.options = options
    this.name = options.name
    this.publicKey = `key of ${options.name}`
    this.store = options.store
  }

  /** How many entries are not known to be stored. */
  get unsent(): number {
    return this.made.length - this.acked.size
  }

  /** Makes entries, online or not. */
  write(now: number, event: string, key: string, texts: ReadonlyArray<string>): void {
    for (const text of texts) {
      const entry = new EventJournal.Entry(
        {
          id: this.makeId(now),
          event,
          primaryKey: key,
          payload: encodePayload({ key, text }) as Uint8Array<ArrayBuffer>
        },
        { disableChecks: true }
      )
      this.made.push(entry)
      this.journal.add(idOf(entry.id))
      this.options.recorder.record({ kind: "made", device: this.name, entry: seenEntry(entry) })
    }
    this.changed.openUnsafe()
  }

  /** Sends something again that it sent before, in one batch with itself. */
  repeat(): void {
    if (this.made.length === 0) return
    const entry = this.options.random.pick(this.made)
    this.send([entry, ...this.made.slice(-2), entry])
  }

  get isPoisoned(): boolean {
    return this.options.isPoisoned
  }

  /** Is never heard of again. */
  leave(): void {
    this.isGone = true
    this.cut()
  }

  cut(): void {
    this.wire?.cut()
  }

  stall(isStalled: boolean): void {
    this.wire?.stall(isStalled)
  }

  /** Connects, talks until the connection breaks, and so on. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.whileLoop({
      while: () => !this.isGone,
      body: () => Effect.andThen(this.live, Effect.sleep(this.options.random.upTo(retryMillis))),
      step: () => {}
    })
  )

  private readonly live = Effect.gen({ self: this }, function* () {
    this.wire = yield* this.options.connect
    this.lives++
    this.underWay.clear()
    const sending = yield* Effect.forkChild(this.sendAll)
    yield* this.wire.receive.pipe(
      Effect.flatMap((message) => this.take(message)),
      Effect.forever,
      Effect.ignore
    )
    yield* Fiber.interrupt(sending)
    this.wire = undefined
  })

  /** Sends what is not acknowledged, one batch after the other, mostly without waiting for the answer. */
  private readonly sendAll = Effect.gen({ self: this }, function* () {
    while (true) {
      const sent = new Set(Array.from(this.underWay.values()).flat())
      const left = this.made.filter((entry) => !this.acked.has(entry) && !sent.has(entry))
      if (left.length > 0 && this.underWay.size < 3) {
        this.send(left.slice(0, 1 + this.options.random.upTo(maxBatch - 1)))
        continue
      }
      this.changed.closeUnsafe()
      yield* this.changed.await
    }
  })

  private send(entries: ReadonlyArray<Entry>): void {
    const wire = this.wire
    if (wire === undefined) return
    const id = this.requests++
    this.underWay.set(id, entries)
    const ids = entries.map((entry) => idOf(entry.id))
    this.options.recorder.record({ kind: "sent", device: this.name, request: `${this.name}.${id}`, ids })
    wire.send({ _tag: "WriteEntries", id, publicKey: this.publicKey, entries })
  }

  private subscribe(): void {
    const id = this.requests++
    this.subscription = `${this.name}/${id}`
    this.options.recorder.record({
      kind: "subscribed",
      device: this.name,
      subscription: this.subscription,
      from: this.next
    })
    this.wire?.send({ _tag: "RequestChanges", publicKey: this.publicKey, startSequence: this.next, id })
  }

  private take(message: ProtocolResponseUnencrypted): Effect.Effect<void> {
    switch (message._tag) {
      case "Hello":
        return Effect.sync(() => this.subscribe())
      case "Ping":
        return Effect.sync(() => this.wire?.send({ _tag: "Pong", id: message.id }))
      case "Ack":
        return Effect.sync(() => this.takeAck(message))
      case "Error":
        return this.takeError(message)
      case "Changes":
        return Effect.sync(() => this.takeChanges(message))
      default:
        return Effect.void
    }
  }

  private takeAck({ id, sequenceNumbers }: Message<"Ack">): void {
    const request = `${this.name}.${id}`
    this.options.recorder.record({ kind: "acked", device: this.name, request, sequences: sequenceNumbers })
    for (const entry of this.underWay.get(id) ?? []) this.acked.add(entry)
    this.underWay.delete(id)
    this.changed.openUnsafe()
  }

  private takeError({ id, reason, requestTag }: Message<"Error">): Effect.Effect<void> {
    if (requestTag === "RequestChanges") return this.later(() => this.subscribe())
    if (requestTag !== "WriteEntries" || id === undefined) return Effect.void
    this.options.recorder.record({ kind: "refused", device: this.name, request: `${this.name}.${id}`, reason })
    return this.later(() => {
      this.underWay.delete(id)
      this.changed.openUnsafe()
    })
  }

  /** Does something after a while, unless the connection is another one by then. */
  private later(action: () => void): Effect.Effect<void> {
    const life = this.lives
    return Effect.sleep(retryMillis).pipe(
      Effect.andThen(
        Effect.sync(() => {
          if (this.lives === life) action()
        })
      ),
      Effect.forkDetach,
      Effect.asVoid
    )
  }

  private takeChanges({ entries, id }: Message<"Changes">): void {
    const placed = entries.map(placedEntry)
    const { record } = this.options.recorder
    record({ kind: "delivered", device: this.name, subscription: `${this.name}/${id}`, entries: placed })
    if (`${this.name}/${id}` !== this.subscription) return
    record({ kind: "kept", device: this.name, entries: placed })
    const isFirst = this.next === 1
    for (const { entry, sequence } of placed) {
      this.journal.add(entry.id)
      this.next = Math.max(this.next, sequence + 1)
    }
    if (isFirst) this.options.onFirstPage()
  }

  /** A UUID v7 by the device's clock. */
  private makeId(now: number): EventJournal.EntryId {
    const id = Uint8Array.from({ length: 16 }, () => this.options.random.upTo(255))
    new DataView(id.buffer).setUint32(0, Math.floor((now + this.options.clockOffset) / 0x1_0000))
    new DataView(id.buffer).setUint16(4, (now + this.options.clockOffset) % 0x1_0000)
    id[6] = 0x70 | (id[6]! & 0x0f)
    id[8] = 0x80 | (id[8]! & 0x3f)
    return id as EventJournal.EntryId
  }
}
