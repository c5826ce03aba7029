import { Layer, ManagedRuntime } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { handlers, schema } from "./schema.ts"

/** A page with effect's event log, which syncs with nobody. */
export const open = (identity: EventLog.Identity["Service"]) =>
  ManagedRuntime.make(
    EventLog.layer(schema, handlers).pipe(
      Layer.provideMerge([EventJournal.layerIndexedDb(), Layer.succeed(EventLog.Identity, identity)])
    )
  )

export const write = EventLog.makeClient(schema)
