import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"
import { WebSocketServer } from "ws"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer,
  type FeedEntry,
  type Mountable,
  memoryBackend
} from "../../src/index.ts"
import { Device } from "./device.ts"
import { schema, type Todos } from "./todos.ts"

/** Serves a server on a websocket of its own, on loopback, until the test is over. */
export const host = async (server: Mountable): Promise<string> => {
  const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
  sockets.on("connection", (socket, request) => {
    const listener = server.connect(
      {
        send: (frame) => socket.send(frame),
        bufferedBytes: () => socket.bufferedAmount,
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate(),
        pause: () => socket.pause(),
        resume: () => socket.resume()
      },
      { remoteAddress: request.socket.remoteAddress, headers: {}, principal: principalOf(request.url) },
      request.url?.startsWith("/rpc") === true ? "rpc" : "eventlog"
    )
    socket.on("message", (data: Buffer, isBinary) => listener.receive(isBinary ? new Uint8Array(data) : String(data)))
    socket.on("close", () => listener.closed())
    socket.on("error", () => {})
  })
  await new Promise((resolve) => sockets.once("listening", resolve))
  onTestFinished(async () => {
    for (const socket of sockets.clients) socket.terminate()
    await new Promise((resolve) => sockets.close(resolve))
  })
  return `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`
}

const principalOf = (path = "") => new URL(path, "ws://localhost").searchParams.get("principal") ?? undefined

type Options = CreateEventLogServerOptions<typeof Todos>

/** A server on memory that asks for no proofs, unless told otherwise. */
export const startServer = async (
  options: Partial<Options> = {}
): Promise<{ readonly server: EventLogServer<typeof Todos>; readonly url: string }> => {
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: () => {}, TodoToggled: () => {} },
    backend: memoryBackend(),
    auth: allowAll,
    sessionAuth: "off",
    ...options
  })
  onTestFinished(() => server.close())
  await server.ready()
  return { server, url: await host(server) }
}

/** A connected device that is closed when the test is over. */
export const openDevice = async (url: string): Promise<Device> => {
  const device = await Device.open(url)
  onTestFinished(() => device.socket.terminate())
  return device
}

/** Everything that a store holds. */
export const readAll = async (
  server: EventLogServer<typeof Todos>,
  storeId: string
): Promise<ReadonlyArray<FeedEntry>> => {
  const entries: Array<FeedEntry> = []
  for await (const entry of server.read({ storeId, from: 1 })) entries.push(entry)
  return entries
}
