import { Result } from "effect"
import { EventJournal, type EventLogMessage } from "effect/eventlog"
import { RequestError } from "../../wire/errors.ts"
import { ByteReader, MalformedBytes, type Span } from "./ByteReader.ts"
import { fieldIds, readFields, type StructField } from "./structFields.ts"

/** Bytes of a text in UTF-8, at most. What may be stored is less. */
const maxTextBytes = 64 * 1024

const idBytes = 16

/** Bytes of an entry, at least: of its length, its shape, its id with the length before that, and three fields. */
const minEntryBytes = 1 + 1 + 1 + idBytes + 3

/** Shapes that entries may have, and fields of a shape. effect's encoder makes one shape, of four fields. */
const maxShapes = 16
const maxShapeFields = 16

/** Bytes after which a step ends, however few entries it has. */
const maxStepBytes = 1024 * 1024

type EntryId = EventJournal.EntryId

/** The fields of an entry that is being read. */
interface Fields {
  id: Span | undefined
  event: string | undefined
  primaryKey: string | undefined
  payload: Span | undefined
}

/** A field of a row: one of an entry, or one that is not known here. */
type Slot = keyof Fields | undefined

const slots: ReadonlyMap<number, keyof Fields> = new Map([
  [fieldIds.id, "id"],
  [fieldIds.event, "event"],
  [fieldIds.primaryKey, "primaryKey"],
  [fieldIds.payload, "payload"]
])

/**
 * Reads a write of effect's client (`WriteEntriesUnencrypted` in SchemaBinary) in steps, so that its caller can let others
 * go on between them. How many entries it has is known, and refused, before any is decoded.
 *
 * Its entries are the rows of a table. A row says which fields it has by the number of a former row's shape, or names them;
 * an event or a primary key that stood in a former row can be given as a reference to it. Fields that are not known are
 * passed over, fields may have any order. Ids have 16 bytes, texts 64 KiB at most.
 */
export class WriteReader {
  readonly publicKey: string
  readonly storeId: EventLogMessage.StoreId
  /** How many entries there are in all. */
  readonly count: number
  readonly #rows: ByteReader
  readonly #shapes: Array<ReadonlyArray<Slot>> = []
  readonly #texts = { event: [] as Array<string>, primaryKey: [] as Array<string> }
  #read = 0

  private constructor(bytes: Uint8Array, maxEntries: number) {
    const reader = new ByteReader(bytes)
    const fields = readFields(reader)
    const text = (id: number) => {
      const { end, start } = sized(fields, id)
      return new ByteReader(bytes, start, end).text(end - start, maxTextBytes)
    }
    const entries = sized(fields, fieldIds.entries)
    this.#rows = new ByteReader(bytes, entries.start, entries.end)
    this.count = this.#rows.unsigned()
    if (this.count > maxEntries) throw tooMany(maxEntries)
    if (this.count * minEntryBytes > this.#rows.remaining) throw new MalformedBytes("Fewer entries than were said")
    if (this.count === 0 && this.#rows.remaining > 0) throw new MalformedBytes("More entries than were said")
    this.publicKey = text(fieldIds.publicKey)
    this.storeId = text(fieldIds.storeId) as EventLogMessage.StoreId
  }

  /**
   * Begins to read a write. Fails with a `RequestError`: "Limit" where it has more than `maxEntries` entries, "Malformed"
   * where it is no write.
   */
  static open(bytes: Uint8Array, maxEntries: number): Result.Result<WriteReader, RequestError> {
    return refusing(() => new WriteReader(bytes, maxEntries))
  }

  /** Whether all entries were read. */
  get isDone(): boolean {
    return this.#read === this.count
  }

  /**
   * Reads on: at least one entry, at most `maxEntries`, and fewer where they are big. None once all were read. They share
   * no memory with the bytes, but have one copy of their rows together: one for each id and payload costs more than all
   * the rest. Fails with a `RequestError`, "Malformed"; after that the reader is of no use any more.
   */
  next(maxEntries: number): Result.Result<ReadonlyArray<EventJournal.Entry>, RequestError> {
    return refusing(() => {
      const read: Array<Fields> = []
      const { position: start } = this.#rows
      while (read.length < maxEntries && !this.isDone && this.#rows.position - start < maxStepBytes) {
        read.push(this.#readRow())
        this.#read++
      }
      if (this.isDone && this.#rows.remaining > 0) throw new MalformedBytes("More entries than were said")
      const rows = this.#rows.copy(start)
      return read.map((fields) => toEntry(fields, rows, start))
    })
  }

  #readRow(): Fields {
    const rows = this.#rows
    const end = rows.endOf(rows.unsigned())
    const fields: Fields = { id: undefined, event: undefined, primaryKey: undefined, payload: undefined }
    const number = rows.unsigned()
    if (number === 0) this.#declareShape(fields, end)
    else for (const slot of this.#shape(number - 1)) this.#readSlot(fields, slot)
    if (rows.position !== end) throw new MalformedBytes("A row that doesn't end where it should")
    return fields
  }

  #shape(index: number): ReadonlyArray<Slot> {
    const shape = this.#shapes[index]
    if (shape === undefined) throw new MalformedBytes("No known shape")
    return shape
  }

  /** Reads a row that names its fields, and remembers them for those that come after it. */
  #declareShape(fields: Fields, end: number): void {
    const ids: Array<number> = []
    while (this.#rows.position < end) {
      const id = this.#rows.unsigned()
      if (id === 0 || ids.includes(id) || ids.length === maxShapeFields) throw new MalformedBytes("No known shape")
      ids.push(id)
      this.#readSlot(fields, slots.get(id))
    }
    if (this.#shapes.length === maxShapes) throw new MalformedBytes("Too many shapes")
    this.#shapes.push(ids.map((id) => slots.get(id)))
  }

  /** A number stands before what is in a field: twice its length, or one more than twice what it refers to. */
  #readSlot(fields: Fields, slot: Slot): void {
    const code = this.#rows.unsigned()
    const number = Math.floor(code / 2)
    if (code % 2 === 1) return this.#refer(fields, slot, number)
    switch (slot) {
      case "id":
        if (number !== idBytes) throw new MalformedBytes("An id that hasn't 16 bytes")
        fields.id = this.#rows.span(number)
        return
      case "payload":
        fields.payload = this.#rows.span(number)
        return
      case undefined:
        return this.#rows.skip(number)
      default:
        fields[slot] = this.#rows.text(number, maxTextBytes)
        this.#texts[slot].push(fields[slot])
    }
  }

  #refer(fields: Fields, slot: Slot, index: number): void {
    if (slot === undefined) return
    const text = slot === "event" || slot === "primaryKey" ? this.#texts[slot][index] : undefined
    if (text === undefined) throw new MalformedBytes("No known reference")
    fields[slot as "event" | "primaryKey"] = text
  }
}

/** @param rows what the fields were read from, from `start` on */
const toEntry = (fields: Fields, rows: Uint8Array<ArrayBuffer>, start: number): EventJournal.Entry => {
  const { event, id, payload, primaryKey } = fields
  if (id === undefined || event === undefined || primaryKey === undefined || payload === undefined) {
    throw new MalformedBytes("An entry that lacks a field")
  }
  const bytesOf = (span: Span) => rows.subarray(span.start - start, span.end - start)
  return new EventJournal.Entry({ id: bytesOf(id) as EntryId, event, primaryKey, payload: bytesOf(payload) })
}

const sized = (fields: ReadonlyArray<StructField>, id: number): StructField => {
  const field = fields.find((field) => field.id === id)
  if (field?.isSized !== true) throw new MalformedBytes("A field is missing")
  return field
}

const tooMany = (maxEntries: number) =>
  new RequestError({ reason: "Limit", message: `A batch may have ${maxEntries} entries` })

const malformed = () => new RequestError({ reason: "Malformed", message: "The request can't be decoded" })

const refusing = <A>(read: () => A): Result.Result<A, RequestError> => {
  try {
    return Result.succeed(read())
  } catch (error) {
    if (error instanceof RequestError) return Result.fail(error)
    if (error instanceof MalformedBytes) return Result.fail(malformed())
    throw error
  }
}
