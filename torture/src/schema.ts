import { Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { EventGroup, EventLog } from "effect/eventlog"

/** What every event of a run carries: a primary key, and a text that no other entry has. */
const Payload = Schema.Struct({ key: Schema.String, text: Schema.String })
const byKey = ({ key }: typeof Payload.Type) => key

/** Events that every device gets as they were written. The handlers of `Failed` and `Hung` never succeed. */
export const Facts = EventGroup.empty
  .add({ tag: "Added", primaryKey: byKey, payload: Payload })
  .add({ tag: "Changed", primaryKey: byKey, payload: Payload })
  .add({ tag: "Failed", primaryKey: byKey, payload: Payload })
  .add({ tag: "Hung", primaryKey: byKey, payload: Payload })

/** Events that say how something is now: of old ones, a server that compacts sends the last of each key. */
export const Notes = EventGroup.empty.add({ tag: "Noted", primaryKey: byKey, payload: Payload })

/** Events that devices know and the server doesn't. */
export const Secrets = EventGroup.empty.add({ tag: "Whispered", primaryKey: byKey, payload: Payload })

/** What the server knows. */
export const serverSchema = EventLog.schema(Facts, Notes)

/** What devices know. */
export const deviceSchema = EventLog.schema(Facts, Notes, Secrets)

/** The events with a handler on the server. */
export const handledEvents: ReadonlySet<string> = new Set([...Object.keys(Facts.events), ...Object.keys(Notes.events)])

/** Of those, the events whose handler never succeeds. */
export const failingEvents: ReadonlySet<string> = new Set(["Failed", "Hung"])

/** The events that a server may compact. */
export const noteEvents: ReadonlySet<string> = new Set(Object.keys(Notes.events))

/** A payload as it is written into an entry. */
export const encodePayload = Schema.encodeUnknownSync(SchemaBinary.toCodec(Payload))
