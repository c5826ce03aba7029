import { openSockets } from "@eventlog-server/testkit/devices"
import { type AddedTodos, addedSchema } from "@eventlog-server/testkit/schema"
import { Effect, type Scope } from "effect"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer,
  type FeedEntry,
  memoryBackend
} from "../../src/index.ts"

export type TodoServer = EventLogServer<typeof AddedTodos>
export type TodoServerOptions = Partial<CreateEventLogServerOptions<typeof AddedTodos>>

/** A real server; every device is enrolled into the store "family". It is closed with the scope. */
export const startServer = (options: TodoServerOptions = {}): Effect.Effect<TodoServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      createEventLogServer({
        schema: addedSchema,
        handlers: { TodoAdded: () => {} },
        backend: memoryBackend(),
        auth: allowAll,
        enroll: () => "family",
        ...options
      })
    ),
    (server) => Effect.promise(() => server.close())
  )

/** An address that leads to a server, to another one, or to none. */
export interface Line {
  readonly url: string
  /** Connects new websockets to this server from now on; `undefined` hangs up on them. */
  readonly lead: (server: TodoServer | undefined) => void
  /** Cuts what is connected, without a closing handshake. */
  readonly cut: () => void
  readonly connections: () => number
}

/** A line that leads nowhere yet. It is taken down with the scope. */
export const openLine: Effect.Effect<Line, never, Scope.Scope> = Effect.gen(function* () {
  let target: TodoServer | undefined
  const { count, cut, url } = yield* Effect.acquireRelease(
    Effect.promise(() => openSockets(() => target)),
    ({ close }) => Effect.promise(close)
  )
  return {
    url,
    cut,
    connections: count,
    lead: (server) => {
      target = server
    }
  }
})

/** Everything that a store holds. */
export const readFeed = (server: TodoServer, storeId = "family"): Effect.Effect<ReadonlyArray<FeedEntry>> =>
  Effect.promise(async () => {
    const entries: Array<FeedEntry> = []
    for await (const entry of server.read({ storeId, from: 1 })) entries.push(entry)
    return entries
  })
