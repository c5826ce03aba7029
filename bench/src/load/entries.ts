import { Todos } from "@eventlog-server/example-todo/schema"
import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { headRoom } from "./webSocket.ts"

/** Which entries are written. */
export interface EntryOptions {
  /** Entries of one batch. */
  readonly batch: number
  /** Primary keys that they go round. @default every entry has a key of its own */
  readonly keys?: number | undefined
  /** Milliseconds that they claim to be old. @default 0 */
  readonly age?: number | undefined
}

const keyLength = 8
const keyOf = (index: number): string => index.toString(16).padStart(keyLength, "0")
const text = "Buy milk, bread and a birthday present for somebody special"

const encodePayload = Schema.encodeSync(Todos.events.TodoAdded!.payloadSchemaBinary)

/** The entry that the one with this index of every batch is made from. */
export const entryOf = (index: number): EventJournal.Entry => {
  // Every byte of it is found again in an encoding: nothing else looks like it.
  const id = Uint8Array.from({ length: 16 }, (_, byte) => 0xc0 ^ (index >>> ((byte % 4) * 8)) ^ (byte * 3))
  const key = keyOf(0xfedc_0000 + index)
  return new EventJournal.Entry(
    {
      id: id as EventJournal.EntryId,
      event: "TodoAdded",
      primaryKey: key,
      payload: encodePayload({ id: key, text }) as Uint8Array<ArrayBuffer>
    },
    { disableChecks: true }
  )
}

const occurrences = (haystack: Buffer, needle: Uint8Array | string): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = haystack.indexOf(needle); at !== -1; at = haystack.indexOf(needle, at + 1)) found.push(at)
  return found
}

interface Slot {
  readonly id: number
  /** In the primary key and in the payload. */
  readonly keys: ReadonlyArray<number>
}

let counter = 0

/**
 * Encoded batches that differ in their ids and keys only: encoded once, then copied and overwritten, which costs a load
 * process next to nothing.
 */
export class Batches {
  readonly size: number
  private readonly template: Buffer
  private readonly slots: ReadonlyArray<Slot>
  private readonly keys: number
  private readonly age: number
  private nextKey = Math.floor(Math.random() * 0x1000_0000)

  constructor(options: EntryOptions, encode: (entries: ReadonlyArray<EventJournal.Entry>) => Uint8Array) {
    const entries = Array.from({ length: options.batch }, (_, index) => entryOf(index))
    this.template = Buffer.concat([Buffer.alloc(headRoom), encode(entries)])
    this.slots = entries.map(({ id, primaryKey }) => ({
      id: occurrences(this.template, id)[0]!,
      keys: occurrences(this.template, primaryKey)
    }))
    this.size = options.batch
    this.keys = options.keys ?? 0x1_0000_0000
    this.age = options.age ?? 0
  }

  /** The next batch, from `headRoom` on. Its ids tell when it was made: see `madeAt`. */
  next(): Buffer {
    const batch = Buffer.from(this.template)
    const millis = Date.now() - this.age
    const micros = Math.floor(performance.now() * 1_000)
    for (const { id, keys } of this.slots) {
      writeId(batch, id, millis, micros)
      const key = keyOf(this.nextKey++ % this.keys)
      for (const at of keys) batch.write(key, at, "latin1")
    }
    return batch
  }
}

/** A UUID version 7 that no other load process makes: a counter, a tag of this process, and a clock. */
const writeId = (bytes: Buffer, at: number, millis: number, micros: number): void => {
  bytes.writeUIntBE(millis, at, 6)
  bytes.writeUInt16BE(0x7000 | (counter++ & 0xfff), at + 6)
  bytes.writeUInt16BE(0x8000 | (process.pid & 0x3fff), at + 8)
  bytes.writeUIntBE(micros, at + 10, 6)
}

/** When this process made the entry with this id, in microseconds of `performance.now`. */
export const madeAt = (id: Buffer, at: number): number => id.readUIntBE(at + 10, 6)
