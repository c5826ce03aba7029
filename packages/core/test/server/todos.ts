import { Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"

/** The events that the tests write. */
export const Todos = EventGroup.empty
  .add({
    tag: "TodoAdded",
    primaryKey: (payload) => payload.id,
    payload: Schema.Struct({ id: Schema.String, text: Schema.String })
  })
  .add({
    tag: "TodoToggled",
    primaryKey: (payload) => payload.id,
    payload: Schema.Struct({ id: Schema.String, done: Schema.Boolean })
  })

export const schema = EventLog.schema(Todos)

const encodeAdded = Schema.encodeUnknownSync(
  SchemaBinary.toCodec(Schema.Struct({ id: Schema.String, text: Schema.String }))
)

/** An entry of `TodoAdded` as a device would make it. */
export const todoAdded = (id: string, options: { readonly msecs?: number } = {}): EventJournal.Entry =>
  new EventJournal.Entry({
    id: EventJournal.makeEntryIdUnsafe(options),
    event: "TodoAdded",
    primaryKey: id,
    payload: encodeAdded({ id, text: `todo ${id}` })
  })

/** Several of them. */
export const todosAdded = (count: number, prefix = "t"): Array<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) => todoAdded(`${prefix}${index}`))
