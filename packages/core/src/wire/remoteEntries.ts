import type { EventJournal } from "effect/eventlog"

/** Entries as `Changes` carries them, one behind the other, and where each begins. The bytes are the caller's. */
export interface EncodedEntries {
  readonly bytes: Uint8Array
  /** The offset of each entry, and the end of the last one. */
  readonly offsets: ReadonlyArray<number>
}

const encoder = new TextEncoder()

/** A string of up to 31 ASCII characters in MessagePack. */
const fixstr = (text: string): ReadonlyArray<number> => [0xa0 | text.length, ...encoder.encode(text)]

/** What stands between the values of a remote entry: a map of two, and in it a map of four. */
const beforeSequence = Uint8Array.of(0x82, ...fixstr("remoteSequence"))
const beforeId = Uint8Array.of(...fixstr("entry"), 0x84, ...fixstr("id"))
const beforeEvent = Uint8Array.of(...fixstr("event"))
const beforePrimaryKey = Uint8Array.of(...fixstr("primaryKey"))
const beforePayload = Uint8Array.of(...fixstr("payload"))

/** A header of a value, at most. */
const headerBytes = 9
const keyBytes = [beforeSequence, beforeId, beforeEvent, beforePrimaryKey, beforePayload].reduce(
  (sum, { length }) => sum + length,
  0
)

/** Bytes that an entry takes, at most: a UTF-16 unit has three in UTF-8. */
const mostBytes = ({ event, id, payload, primaryKey }: EventJournal.Entry): number =>
  keyBytes + 5 * headerBytes + id.length + payload.length + 3 * (event.length + primaryKey.length)

/** Writes MessagePack into a buffer that has room for it. */
class Writer {
  readonly bytes: Uint8Array
  readonly #view: DataView
  at = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.#view = new DataView(this.bytes.buffer)
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  /** An integer of up to 53 bits; more than 32 travel as a double, as msgpackr has it. */
  natural(value: number): void {
    const { bytes } = this
    if (value < 0x80) bytes[this.at++] = value
    else if (value < 0x100) this.#header(0xcc, value, 1)
    else if (value < 0x1_0000) this.#header(0xcd, value, 2)
    else if (value < 0x1_0000_0000) this.#header(0xce, value, 4)
    else {
      bytes[this.at] = 0xcb
      this.#view.setFloat64(this.at + 1, value)
      this.at += 9
    }
  }

  binary(value: Uint8Array): void {
    const { length } = value
    if (length < 0x100) this.#header(0xc4, length, 1)
    else if (length < 0x1_0000) this.#header(0xc5, length, 2)
    else this.#header(0xc6, length, 4)
    this.raw(value)
  }

  text(value: string): void {
    if (this.#shortAscii(value)) return
    // Where it ends up if its header is the longest.
    const start = this.at + 5
    const { written: length } = encoder.encodeInto(value, this.bytes.subarray(start))
    if (length < 0x20) this.bytes[this.at++] = 0xa0 | length
    else if (length < 0x100) this.#header(0xd9, length, 1)
    else if (length < 0x1_0000) this.#header(0xda, length, 2)
    else this.#header(0xdb, length, 4)
    this.bytes.copyWithin(this.at, start, start + length)
    this.at += length
  }

  /** Most names and keys are: calling the encoder for them costs more than a loop. */
  #shortAscii(value: string): boolean {
    const { bytes } = this
    const { length } = value
    if (length >= 0x20) return false
    const start = this.at + 1
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit >= 0x80) return false
      bytes[start + index] = unit
    }
    bytes[this.at] = 0xa0 | length
    this.at = start + length
    return true
  }

  #header(type: number, value: number, size: 1 | 2 | 4): void {
    this.bytes[this.at] = type
    if (size === 1) this.#view.setUint8(this.at + 1, value)
    else if (size === 2) this.#view.setUint16(this.at + 1, value)
    else this.#view.setUint32(this.at + 1, value)
    this.at += 1 + size
  }
}

/** Room for what is encoded next that is kept, at most: a page of ordinary entries. Memory that is new costs more than encoding. */
const maxKeptBytes = 1024 * 1024

let kept: Writer | undefined

/** A writer with that much room, until the next one is asked for. */
const writerFor = (size: number): Writer => {
  if (size > maxKeptBytes) return new Writer(size)
  if (kept === undefined || size > kept.bytes.length) kept = new Writer(Math.min(maxKeptBytes, 2 * size))
  kept.at = 0
  return kept
}

/**
 * Encodes entries for every subscriber of a store: `changesMessage` makes messages of them. The bytes are those that
 * msgpackr gives for each; knowing their shape is faster than asking each value what it is.
 */
export const encodeRemoteEntries = (
  entries: ReadonlyArray<Pick<EventJournal.RemoteEntry, "remoteSequence" | "entry">>
): EncodedEntries => {
  const writer = writerFor(entries.reduce((sum, { entry }) => sum + mostBytes(entry), 0))
  const offsets = [0]
  for (const { entry, remoteSequence } of entries) {
    writer.raw(beforeSequence)
    writer.natural(remoteSequence)
    writer.raw(beforeId)
    writer.binary(entry.id)
    writer.raw(beforeEvent)
    writer.text(entry.event)
    writer.raw(beforePrimaryKey)
    writer.text(entry.primaryKey)
    writer.raw(beforePayload)
    writer.binary(entry.payload)
    offsets.push(writer.at)
  }
  return { bytes: writer.bytes.slice(0, writer.at), offsets }
}
