import { Device, openSockets } from "@eventlog-server/testkit/devices"
import { schema, type Todos } from "@eventlog-server/testkit/schema"
import { onTestFinished } from "vitest"
import type { Mountable } from "../../src/adapter.ts"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer,
  type FeedEntry,
  memoryBackend
} from "../../src/index.ts"

/** Serves a server on a websocket of its own, on loopback, until the test is over. */
export const host = async (server: Mountable): Promise<string> => {
  const sockets = await openSockets(() => server)
  onTestFinished(sockets.close)
  return sockets.url
}

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
  // The backend is open then, and was asked nothing yet.
  await server.stats()
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
