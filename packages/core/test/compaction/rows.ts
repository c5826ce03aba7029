import { makeEntry } from "@eventlog-server/testkit/schema"
import { Schema } from "effect"
import { EventGroup, EventRow } from "effect/eventlog"

/** A row, as effect has them: set, patched and removed by one event. */
export const Grocery = EventRow.make("grocery", {
  key: "id",
  schema: Schema.Struct({ id: Schema.String, name: Schema.String, count: Schema.Number })
})

export const Groceries = EventGroup.empty.add(Grocery)

/** The same row in a newer version of the app. */
const NewGrocery = EventRow.make("grocery", {
  key: "id",
  schema: Schema.Struct({ ...Grocery.schema.fields, note: Schema.optionalKey(Schema.String) })
})

const codecOf = (row: typeof Grocery | typeof NewGrocery) =>
  EventGroup.empty.add(row as typeof Grocery).events.grocery!.payloadSchemaBinary

const entryOf = (payload: Uint8Array, msecs: number | undefined) =>
  makeEntry({ event: "grocery", primaryKey: "x", payload, ...(msecs !== undefined && { msecs }) })

/** An entry of a row, as a device makes it. */
export const groceryEntry = ({ payload }: ReturnType<(typeof Grocery)["set" | "patch" | "remove"]>, msecs?: number) =>
  entryOf(Schema.encodeSync(codecOf(Grocery))(payload), msecs)

/** An entry with a field that the newer version added. */
export const notedEntry = (note: string, msecs?: number) =>
  entryOf(Schema.encodeUnknownSync(codecOf(NewGrocery))(NewGrocery.patch("x", { note }).payload), msecs)
