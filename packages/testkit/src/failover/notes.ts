import { Effect, Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

const Notes = EventGroup.empty.add({
  tag: "NoteAdded",
  primaryKey: (note) => note.id,
  payload: Schema.Struct({ id: Schema.String })
})

/** The events of devices and nodes. */
export const schema = EventLog.schema(Notes)

/** What a device makes of them. */
export const handlers = EventLog.group(Notes, (_) => _.handle("NoteAdded", () => Effect.void))
