import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import {
  EventLogClient,
  layerIdentity,
  layerJournalIndexedDb,
  Quarantine,
  quarantineIndexedDb
} from "../../../src/client/index.ts"

/** The events of an app. The second version no longer needs a text. */
export const todosOf = (version: "old" | "new") =>
  EventGroup.empty.add({
    tag: "TodoAdded",
    primaryKey: (todo) => (todo as { readonly id: string }).id,
    payload: Schema.Struct({
      id: Schema.String,
      text: (version === "old" ? Schema.String : Schema.optionalKey(Schema.String)) as Schema.optionalKey<Schema.String>
    })
  })

const start = async (version: "old" | "new", url: string) => {
  const handled: Array<string> = []
  const group = todosOf(version)
  const handlers = EventLog.group(group, (_) =>
    _.handle("TodoAdded", ({ payload }) =>
      Effect.sync(() => {
        handled.push(payload.id)
        if (version === "old" && payload.id === "throws") throw new Error("as the first version does")
      })
    )
  )
  const scope = Scope.makeUnsafe()
  const context = await EventLogClient.layer({ url }).pipe(
    Layer.provideMerge(EventLog.layer(EventLog.schema(group), handlers)),
    Layer.provideMerge(Quarantine.layer({ storage: quarantineIndexedDb() })),
    Layer.provideMerge([layerJournalIndexedDb(), layerIdentity({ storage: localStorage })]),
    Layer.buildWithScope(scope),
    Effect.runPromise
  )
  const client = Context.get(context, EventLogClient)
  const journal = Context.get(context, EventJournal.EventJournal)
  return {
    handled,
    status: () => {
      const { caughtUp, connection, cursor, pendingCounted, pendingWrites, quarantined } = client.status()
      const aside = quarantined.entries.map(({ entry, reason }) => `${entry.primaryKey}: ${reason}`)
      return { caughtUp, connection, cursor, pendingCounted, pendingWrites, aside }
    },
    add: (id: string) =>
      Effect.runPromise(
        Context.get(context, EventLog.EventLog).write({
          schema: EventLog.schema(group),
          event: "TodoAdded",
          payload: { id, text: id }
        })
      ),
    held: () => Effect.runPromise(Effect.map(journal.entries, ({ length }) => length)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
export type App = Awaited<ReturnType<typeof start>>

Object.assign(globalThis, {
  startApp: async (version: "old" | "new", url: string) => Object.assign(globalThis, { app: await start(version, url) })
})
