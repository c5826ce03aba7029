import { Effect, Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

const Todos = EventGroup.empty.add({
  tag: "TodoAdded",
  primaryKey: ({ id }) => id,
  payload: Schema.Struct({ id: Schema.String, text: Schema.String })
})

export const schema = EventLog.schema(Todos)
export const handlers = EventLog.group(Todos, (on) => on.handle("TodoAdded", () => Effect.void))
