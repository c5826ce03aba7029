import { Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

const byId = (payload: { readonly id: string }) => payload.id

/** What can happen to a note. The events of one note share its id as their primary key. */
export const Notes = EventGroup.empty
  .add({
    tag: "NoteWritten",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String, text: Schema.String })
  })
  .add({
    tag: "NoteRemoved",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String })
  })

/** The schema that the server and the devices share. */
export const schema = EventLog.schema(Notes)
