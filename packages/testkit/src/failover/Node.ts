import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { allowAll, type Backend, createEventLogServer, type FeedLoss } from "@eventlog-server/core"
import type { Mountable } from "@eventlog-server/core/adapter"
import { onTestFinished } from "vitest"
import { WebSocketServer } from "ws"
import type { Gate } from "./Gate.ts"
import { schema } from "./notes.ts"

/** A server with websockets, as one process of a deployment has it, and what it says. */
export interface Node {
  /** Where a device connects to that is to be enrolled into a store. */
  readonly urlOf: (storeId: string) => string
  /** The ids of the entries that its handlers were given. */
  readonly handled: ReadonlySet<string>
  readonly losses: ReadonlyArray<FeedLoss>
  readonly errors: ReadonlyArray<string>
  /** Writes as the server, and returns the sequence that was acked. */
  readonly write: (storeId: string, id: string) => Promise<number>
}

const serve = async (server: Mountable): Promise<string> => {
  const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
  onTestFinished(async () => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
    await once(sockets, "close")
  })
  sockets.on("connection", (socket, request) => {
    const listener = server.connect(
      {
        send: (frame) => socket.send(frame),
        bufferedBytes: () => socket.bufferedAmount,
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate()
      },
      { remoteAddress: undefined, headers: {}, principal: request.url?.slice(1) }
    )
    socket.on("message", (data: Buffer, isBinary) => listener.receive(isBinary ? new Uint8Array(data) : String(data)))
    socket.on("close", () => listener.closed())
    socket.on("error", () => {})
  })
  await once(sockets, "listening")
  return `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`
}

/** Starts a node. It is closed when the test is over. @param gate where its handlers wait */
export const startNode = async (backend: Backend, gate: Gate): Promise<Node> => {
  const handled = new Set<string>()
  const losses: Array<FeedLoss> = []
  const errors: Array<string> = []
  const ignore = () => {}
  const server = createEventLogServer({
    schema,
    backend,
    auth: allowAll,
    enroll: ({ connection }) => connection?.principal as string,
    handlers: { NoteAdded: ({ entry }) => gate.pass().then(() => handled.add(entry.idString)) },
    logger: { debug: ignore, info: ignore, warn: ignore, error: (_, message) => void errors.push(message) },
    onFeedLost: (loss) => void losses.push(loss)
  })
  onTestFinished(() => server.close())
  await server.ready()
  const url = await serve(server)
  return {
    urlOf: (storeId) => `${url}/${storeId}`,
    handled,
    losses,
    errors,
    write: async (storeId, id) => {
      const { sequenceNumbers } = await server.write({ storeId, event: "NoteAdded", payload: { id } })
      return sequenceNumbers[0]!
    }
  }
}
