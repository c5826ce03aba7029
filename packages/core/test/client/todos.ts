import { AddedTodos, addedSchema } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { type Client, EventLogClient, type EventLogClientOptions, generateIdentity } from "../../src/client/index.ts"
import { quick } from "./fixtures.ts"

/** What a device keeps when its app is closed. */
export interface Disk {
  readonly journal: EventJournal.EventJournal["Service"]
  readonly identity: EventLog.Identity["Service"]
  /** What the app's handlers made of the events. */
  readonly todos: Map<string, string>
}

export const makeDisk: Effect.Effect<Disk> = Effect.gen(function* () {
  return { journal: yield* EventJournal.makeMemory, identity: yield* generateIdentity, todos: new Map() }
})

/** An app on effect's `EventLog`. */
export interface Device {
  readonly disk: Disk
  readonly client: Client
  readonly add: (id: string, text?: string) => Effect.Effect<void>
  /** Ids of what the journal holds. */
  readonly entryIds: Effect.Effect<ReadonlyArray<string>>
  readonly close: Effect.Effect<void>
}

/** Opens an app. It is closed with the scope, if not before. */
export const openDevice = Effect.fnUntraced(function* (
  options: EventLogClientOptions,
  disk?: Disk
): Effect.fn.Return<Device, never, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const { identity, journal, todos } = disk ?? (yield* makeDisk)
  const handlers = EventLog.group(AddedTodos, (_) =>
    _.handle("TodoAdded", ({ payload }) => Effect.sync(() => todos.set(payload.id, payload.text)))
  )
  const app = EventLogClient.layer({ ...quick, ...options }).pipe(
    Layer.provideMerge(EventLog.layer(addedSchema, handlers)),
    Layer.provide([Layer.succeed(EventJournal.EventJournal, journal), Layer.succeed(EventLog.Identity, identity)])
  )
  const context = yield* Layer.buildWithScope(app, scope)
  const log = Context.get(context, EventLog.EventLog)
  return {
    disk: { identity, journal, todos },
    client: Context.get(context, EventLogClient),
    add: (id, text = id) => Effect.orDie(log.write({ schema: addedSchema, event: "TodoAdded", payload: { id, text } })),
    entryIds: Effect.map(Effect.orDie(journal.entries), (entries) => entries.map((entry) => entry.idString)),
    close: Scope.close(scope, Exit.void)
  }
})
