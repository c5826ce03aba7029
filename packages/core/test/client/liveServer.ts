import { Effect, type Scope } from "effect"
import { WebSocketServer } from "ws"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer,
  type FeedEntry,
  memoryBackend
} from "../../src/index.ts"
import { schema, type Todos } from "./todos.ts"

export type TodoServer = EventLogServer<typeof Todos>
export type TodoServerOptions = Partial<CreateEventLogServerOptions<typeof Todos>>

/** A real server; every device is enrolled into the store "family". It is closed with the scope. */
export const startServer = (options: TodoServerOptions = {}): Effect.Effect<TodoServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      createEventLogServer({
        schema,
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
  const sockets = yield* Effect.acquireRelease(
    Effect.callback<WebSocketServer>((resume) => {
      const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
      sockets.once("listening", () => resume(Effect.succeed(sockets)))
    }),
    (sockets) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets.clients) socket.terminate()
        sockets.close(() => resume(Effect.void))
      })
  )
  sockets.on("connection", (socket, request) => {
    if (target === undefined) return socket.terminate()
    const listener = target.connect(
      {
        send: (frame) => socket.send(frame),
        bufferedBytes: () => socket.bufferedAmount,
        close: (code, reason) => socket.close(code, reason)
      },
      { remoteAddress: undefined, headers: {}, principal: undefined },
      request.url === "/rpc" ? "rpc" : "eventlog"
    )
    socket.on("message", (data: Buffer, isBinary) => listener.receive(isBinary ? new Uint8Array(data) : String(data)))
    socket.on("close", () => listener.closed())
    socket.on("error", () => {})
  })
  const cut = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  const { port } = sockets.address() as { port: number }
  return {
    url: `ws://127.0.0.1:${port}`,
    cut,
    connections: () => sockets.clients.size,
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
