import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import { type NodeWebSocketServer, webSocketServer } from "@eventlog-server/adapter-hono/node"
import { allowAll, createEventLogServer, memoryBackend } from "@eventlog-server/core"
import { silent } from "@eventlog-server/testkit/schema"
import { serve, upgradeWebSocket } from "@hono/node-server"
import { EventLog } from "effect/eventlog"
import { Hono } from "hono"
import { afterEach, expect, onTestFinished, test, vi } from "vitest"
import { WebSocket, WebSocketServer } from "ws"

afterEach(() => vi.restoreAllMocks())

const start = async (socketsOf: typeof webSocketServer) => {
  const server = createEventLogServer({
    schema: EventLog.schema(),
    handlers: {},
    backend: memoryBackend(),
    auth: allowAll,
    limits: { maxFrameBytes: 20_000 },
    logger: silent
  })
  const app = new Hono().route("/eventlog", eventLog({ server, upgradeWebSocket }))
  const http = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0, websocket: { server: socketsOf(server) } })
  await once(http, "listening")
  const stop = async (): Promise<void> => {
    await server.close()
    http.close()
    await once(http, "close")
  }
  return { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/eventlog`, stop }
}

const connect = async (url: string, options = {}): Promise<WebSocket> => {
  const socket = new WebSocket(url, options)
  onTestFinished(() => socket.terminate())
  await once(socket, "open")
  return socket
}

const listenToWarnings = () => vi.spyOn(console, "warn").mockImplementation(() => {})

test("the websocket server takes no bigger frames, few fragments, and doesn't compress", async () => {
  const warnings = listenToWarnings()
  const { stop, url } = await start(webSocketServer)
  onTestFinished(stop)
  const socket = await connect(url, { perMessageDeflate: true })
  expect(socket.extensions).toBe("")
  socket.send(new Uint8Array(20_001))
  expect((await once(socket, "close"))[0]).toBe(1009)
  const other = await connect(url)
  for (let i = 0; i < 1_200; i++) other.send(Uint8Array.of(i), { fin: false })
  expect((await once(other, "close"))[0]).toBe(1008)
  expect(warnings).not.toHaveBeenCalled()
})

// Half of the half minute that `ws` waits for a peer by itself.
test("an app ends though a peer never answers the close", { timeout: 15_000 }, async () => {
  const { stop, url } = await start(webSocketServer)
  const socket = await connect(url)
  socket.pause()
  await stop()
})

test("a websocket server of the app's own that takes more is warned of, once", async () => {
  const warnings = listenToWarnings()
  const { stop, url } = await start(() => new WebSocketServer({ noServer: true }) as NodeWebSocketServer)
  onTestFinished(stop)
  await connect(url)
  await connect(url)
  expect(warnings.mock.calls).toEqual([[expect.stringContaining("104857600 bytes, not of 20000")]])
})
