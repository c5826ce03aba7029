import { makeEntry } from "@eventlog-server/testkit/schema"
import { EventJournal } from "effect/eventlog"
import { encodePayload } from "../../schema.ts"

/** An entry of an event that the server has a handler for. */
export const factOf = (
  event: "Added" | "Changed" | "Hung",
  key: string,
  text: string,
  id = EventJournal.makeEntryIdUnsafe()
) => makeEntry({ id, event, primaryKey: key, payload: encodePayload({ key, text }) as Uint8Array })

/** The smallest entry that may be written; the server has no handler for it. */
export const minimalEntry = () => makeEntry({ event: "e", primaryKey: "", payload: 0 })

/** The id of an entry that was made `age` milliseconds ago. */
export const oldId = (age: number): EventJournal.EntryId => {
  const id = EventJournal.makeEntryIdUnsafe()
  Buffer.from(id.buffer, id.byteOffset, id.byteLength).writeUIntBE(Date.now() - age, 0, 6)
  return id
}
