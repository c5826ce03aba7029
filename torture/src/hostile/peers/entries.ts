import { EventJournal } from "effect/eventlog"
import { encodePayload } from "../../schema.ts"

const entry = (event: string, primaryKey: string, payload: Uint8Array, id = EventJournal.makeEntryIdUnsafe()) =>
  new EventJournal.Entry(
    { id, event, primaryKey, payload: payload as Uint8Array<ArrayBuffer> },
    { disableChecks: true }
  )

/** An entry of an event that the server has a handler for. */
export const factOf = (event: "Added" | "Changed" | "Hung", key: string, text: string, id?: EventJournal.EntryId) =>
  entry(event, key, encodePayload({ key, text }) as Uint8Array, id)

/** The smallest entry that may be written; the server has no handler for it. */
export const minimalEntry = () => entry("e", "", new Uint8Array(0))

/** The id of an entry that was made `age` milliseconds ago. */
export const oldId = (age: number): EventJournal.EntryId => {
  const id = EventJournal.makeEntryIdUnsafe()
  Buffer.from(id.buffer, id.byteOffset, id.byteLength).writeUIntBE(Date.now() - age, 0, 6)
  return id
}
