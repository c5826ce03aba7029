import { Layer, ManagedRuntime } from "effect"
import { EventLog } from "effect/eventlog"
import {
  EventLogClient,
  layerIdentity,
  layerJournalIndexedDb,
  Quarantine,
  quarantineIndexedDb
} from "../../../src/client/index.ts"
import { handlers, schema } from "./schema.ts"

/** The page of the documentation. */
export const open = (url: string) =>
  ManagedRuntime.make(
    EventLogClient.layer({ url }).pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provideMerge(Quarantine.layer({ storage: quarantineIndexedDb() })),
      Layer.provideMerge([layerJournalIndexedDb(), layerIdentity({ storage: localStorage })])
    )
  )

export const write = EventLog.makeClient(schema)
