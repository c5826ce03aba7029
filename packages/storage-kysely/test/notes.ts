import type { AppLogger } from "@eventlog-server/core"
import { Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

/** The events of these tests: a note is counted. */
export const Notes = EventGroup.empty.add({
  tag: "Noted",
  primaryKey: (note) => note.key,
  payload: Schema.Struct({ key: Schema.String, text: Schema.String })
})

export const schema = EventLog.schema(Notes)

/** The app's own table, which handlers write to. */
export interface NotesDatabase {
  readonly notes: { readonly place: number; readonly text: string }
}

/** What these tests provoke is no news. */
export const silent: AppLogger = { debug() {}, info() {}, warn() {}, error() {} }
