import { Schema } from "effect"
import { type Event, EventGroup, EventLog } from "effect/eventlog"

const byId = (payload: { readonly id: string }) => payload.id

/** What can happen to a todo. The events of one todo share its id as their primary key. */
export const Todos = EventGroup.empty
  .add({
    tag: "TodoAdded",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String, text: Schema.String })
  })
  .add({
    tag: "TodoRenamed",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String, text: Schema.String })
  })
  .add({
    tag: "TodoToggled",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String, done: Schema.Boolean })
  })
  .add({
    tag: "TodoRemoved",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String })
  })

type Events = EventGroup.Events<typeof Todos>

/** One of the events with its payload, as `write` takes it. */
export type TodoEvent = {
  readonly [Tag in Event.Tag<Events>]: { readonly event: Tag; readonly payload: Event.PayloadWithTag<Events, Tag> }
}[Event.Tag<Events>]

/** The schema that the server and the devices share. */
export const schema = EventLog.schema(Todos)
