import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"

type Entry = EventJournal.Entry

/** Outputs of one bucket that can be told apart: the index has 12 bits. */
export const maxOutputs = 0x1000

const encoder = new TextEncoder()

/** Length-prefixed, so that no two lists of fields are the same bytes. */
const fieldsOf = (fields: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + 4 + field.byteLength, 0))
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const field of fields) {
    view.setUint32(offset, field.byteLength)
    bytes.set(field, offset + 4)
    offset += 4 + field.byteLength
  }
  return bytes
}

/** The source with the greatest id. */
const newestOf = (sources: ReadonlyArray<Entry>): Entry =>
  sources.reduce((newest, source) => (EventJournal.EntryIdOrder(source.id, newest.id) > 0 ? source : newest))

/**
 * The id of an output that is none of its sources, made from what it stands for: the same history and compactor give
 * the same id on every node, at every time, so that a device which is handed it again knows it.
 *
 * A UUID of version 8 (RFC 9562, section 5.8): the 48 bits of the newest source's millisecond, the version, the output's
 * index in 12 bits, the variant, and 62 bits of SHA-256 over store, source ids, event, primary key and payload. The
 * version makes it sort after every version 7 id of that millisecond.
 */
export const replacementId = (options: {
  readonly storeId: StoreId
  readonly sources: ReadonlyArray<Entry>
  readonly index: number
  readonly output: Pick<Entry, "event" | "primaryKey" | "payload">
}): Effect.Effect<EventJournal.EntryId> => {
  const { index, output, sources, storeId } = options
  const input = fieldsOf([
    encoder.encode(storeId),
    fieldsOf(sources.map(({ id }) => id)),
    encoder.encode(output.event),
    encoder.encode(output.primaryKey),
    output.payload
  ])
  return Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", input)),
    (digest) => {
      const id = new Uint8Array(16)
      id.set(newestOf(sources).id.subarray(0, 6))
      id[6] = 0x80 | (index >>> 8)
      id[7] = index & 0xff
      id.set(new Uint8Array(digest, 0, 8), 8)
      id[8] = 0x80 | (id[8]! & 0x3f)
      return id as EventJournal.EntryId
    }
  )
}
