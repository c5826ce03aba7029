import { Schema } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"

const Written = Schema.Struct({ note: Schema.String, text: Schema.String })

/** The events of the servers under test. */
export const Notes = EventGroup.empty
  .add({ tag: "NoteWritten", primaryKey: ({ note }) => note, payload: Written })
  .add({ tag: "NoteTagged", primaryKey: ({ note }) => note, payload: Written })

/** The schema of `Notes`. */
export const schema = EventLog.schema(Notes)

const encode = Schema.encodeSync(Notes.events.NoteWritten!.payloadSchemaBinary)

/** What a test wants of an entry; the rest is made up. */
export interface NoteFields {
  readonly event?: "NoteWritten" | "NoteTagged"
  readonly note?: string
  readonly text?: string
  /** How long ago a device made it, in hours. @default 0 */
  readonly hoursAgo?: number
}

/** An entry as a device makes it. */
export const makeNote = (fields: NoteFields = {}): EventJournal.Entry => {
  const { event = "NoteWritten", hoursAgo = 0, note = "note", text = "" } = fields
  return new EventJournal.Entry(
    {
      id: EventJournal.makeEntryIdUnsafe({ msecs: Date.now() - hoursAgo * 60 * 60 * 1000 }),
      event,
      primaryKey: note,
      payload: encode({ note, text })
    },
    { disableChecks: true }
  )
}

/** Entries whose texts are their numbers, from `first` on. */
export const makeNotes = (count: number, first = 1): ReadonlyArray<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) => makeNote({ text: String(first + index) }))
