import { Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

const byId = (payload: { readonly id: string }) => payload.id

/** What can happen to a shopping list. */
export const Shopping = EventGroup.empty
  .add({ tag: "ItemAdded", primaryKey: byId, payload: Schema.Struct({ id: Schema.String, text: Schema.String }) })
  .add({ tag: "ItemBought", primaryKey: byId, payload: Schema.Struct({ id: Schema.String }) })

/** The schema that the server and the devices share. */
export const schema = EventLog.schema(Shopping)
