import { allowAll, createEventLogServer, memoryBackend } from "@eventlog-server/core"
import { Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"

const Todos = EventGroup.empty.add({
  tag: "TodoAdded",
  primaryKey: (todo) => todo.id,
  payload: Schema.Struct({ id: Schema.String, text: Schema.String })
})

/** The same on every runtime: one store, for everybody who proves a key. */
export const server = createEventLogServer({
  schema: EventLog.schema(Todos),
  handlers: { TodoAdded: ({ payload }) => console.log(payload.text) },
  backend: memoryBackend(),
  auth: allowAll,
  enroll: () => "shared"
})
