import { Schema } from "effect"
import { EventGroup, EventLog, EventRow } from "effect/eventlog"

/** Something to buy. One event sets, patches and removes it; its primary key is the `id`. */
export const Grocery = EventRow.make("grocery", {
  key: "id",
  schema: Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    count: Schema.Number,
    bought: Schema.Boolean
  })
})

/** What the server and the devices share. */
export const Groceries = EventGroup.empty.add(Grocery)

export const schema = EventLog.schema(Groceries)

export type Grocery = typeof Grocery.schema.Type

/** `Grocery.set(…)`, `Grocery.patch(…)` or `Grocery.remove(…)`. */
export type GroceryWrite = ReturnType<(typeof Grocery)["set" | "patch" | "remove"]>
