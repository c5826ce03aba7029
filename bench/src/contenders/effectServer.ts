/**
 * effect's own server, as its documentation puts it together, as a process: `effectServer.ts memory|postgres [URL]
 * [--compact]`. It runs handlers that do nothing, for the events of the todo example, as our server does.
 */
import { NodeSocketServer } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { schema, Todos } from "@eventlog-server/example-todo/schema"
import { Effect, Layer, Redacted } from "effect"
import { EventLog, EventLogServerUnencrypted, SqlEventLogServerUnencrypted } from "effect/eventlog"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"

const [storage, ...rest] = process.argv.slice(2)
const isCompacting = rest.includes("--compact")
const databaseUrl = rest.find((argument) => !argument.startsWith("--"))

const handlers = EventLog.group(Todos, (handlers) =>
  handlers
    .handle("TodoAdded", () => Effect.void)
    .handle("TodoRenamed", () => Effect.void)
    .handle("TodoToggled", () => Effect.void)
    .handle("TodoRemoved", () => Effect.void)
)

/** What `keepLast` does with events of one kind. */
const compaction = EventLog.groupCompaction(Todos, ({ entries, forward }) => {
  const last = new Map(entries.map((entry) => [entry.event, entry]))
  return Effect.forEach(last.values(), forward, { discard: true })
})

const storageLayer =
  storage === "postgres"
    ? SqlEventLogServerUnencrypted.layerStorage().pipe(
        Layer.provide(PgClient.layer({ url: Redacted.make(databaseUrl!), maxConnections: 10 }))
      )
    : EventLogServerUnencrypted.layerStorageMemory

const everybody = Layer.succeed(EventLogServerUnencrypted.EventLogServerAuthorization, {
  authorizeIdentity: () => Effect.void,
  authorizeRead: () => Effect.void,
  authorizeWrite: () => Effect.void
})

const everyStore = Layer.succeed(EventLogServerUnencrypted.StoreMapping, {
  hasStore: () => Effect.succeed(true),
  resolve: ({ storeId }) => Effect.succeed(storeId)
})

const announce = Layer.effectDiscard(
  SocketServer.SocketServer.useSync(({ address }) => {
    const { port } = address as { readonly port: number }
    console.log(`listening on http://127.0.0.1:${port}`)
  })
)

const server = EventLogServerUnencrypted.layer(
  schema,
  isCompacting ? Layer.merge(handlers, compaction) : handlers
).pipe(
  Layer.merge(announce),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provide(RpcSerialization.layerSchemaBinary()),
  Layer.provide(NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0 })),
  Layer.provide([storageLayer, everybody, everyStore])
)

Effect.runFork(Layer.launch(server))
process.once("SIGTERM", () => process.exit(0))
