import { Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

/** One event, for tests that need no other. */
export const AddedTodos = EventGroup.empty.add({
  tag: "TodoAdded",
  primaryKey: (payload) => payload.id,
  payload: Schema.Struct({ id: Schema.String, text: Schema.String })
})

/** The schema of that event. */
export const addedSchema = EventLog.schema(AddedTodos)

/** The events that tests write. */
export const Todos = AddedTodos.add({
  tag: "TodoToggled",
  primaryKey: (payload) => payload.id,
  payload: Schema.Struct({ id: Schema.String, done: Schema.Boolean })
})

/** The schema of the events that tests write. */
export const schema = EventLog.schema(Todos)
