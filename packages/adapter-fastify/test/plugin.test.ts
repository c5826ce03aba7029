import { once } from "node:events"
import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import type { Mountable, Transport } from "@eventlog-server/core/adapter"
import { defaultLimits, subprotocol } from "@eventlog-server/core/protocol"
import websocket from "@fastify/websocket"
import Fastify, { type FastifyInstance } from "fastify"
import { expect, expectTypeOf, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"

/** Greets, echoes, and counts what an adapter asks of it. */
class EchoServer implements Mountable {
  readonly limits = { ...defaultLimits, maxFrameBytes: 1_000 }
  readonly endpoints = [{ path: "", protocol: "eventlog" }] as const
  readonly frames: Array<Uint8Array | string> = []
  readonly open = new Set<Transport>()
  readonly openAtClose: Array<number> = []
  isClosed = false

  async admit() {
    return undefined
  }

  connect(transport: Transport) {
    this.open.add(transport)
    transport.send(Uint8Array.of(1))
    return {
      receive: (frame: Uint8Array | string) => {
        this.frames.push(frame)
        if (typeof frame !== "string") transport.send(frame)
      },
      closed: () => void this.open.delete(transport)
    }
  }

  async close() {
    this.openAtClose.push(this.open.size)
    for (const transport of this.open) transport.close(1012, "")
    // Longer than the sockets take, so that whoever doesn't wait is found out.
    await new Promise((resolve) => setTimeout(resolve, 100))
    this.isClosed = true
  }
}

const start = async (mount: (app: FastifyInstance, server: EchoServer) => unknown) => {
  const server = new EchoServer()
  const lines: Array<string> = []
  const app = Fastify({ logger: { level: "info", stream: { write: (line) => void lines.push(line) } } })
  onTestFinished(() => app.close())
  await mount(app, server)
  const address = await app.listen({ host: "127.0.0.1", port: 0 })
  return { app, server, lines, url: address.replace("http:", "ws:") }
}

const connect = async (url: string, protocols: Array<string> = [], options = {}): Promise<WebSocket> => {
  const socket = new WebSocket(url, protocols, options)
  onTestFinished(() => socket.terminate())
  await once(socket, "open")
  return socket
}

test("names itself and the Fastify version it is for", () => {
  const meta: unknown = Reflect.get(eventLogPlugin, Symbol.for("plugin-meta"))
  expect(meta).toMatchObject({ name: "@eventlog-server/adapter-fastify", fastify: "5.x" })
})

test("decorates the app with the server, typed as what an adapter knows of it", async () => {
  const { app, server } = await start((app, server) => app.register(eventLogPlugin, { server }))
  expect(app.hasPlugin("@eventlog-server/adapter-fastify")).toBe(true)
  expect(app.eventLog).toBe(server)
  expectTypeOf(app.eventLog).toEqualTypeOf<Mountable>()
})

test("app.injectWS connects without a port", async () => {
  const { app, server } = await start((app, server) => app.register(eventLogPlugin, { server }))
  const greeting = Promise.withResolvers<unknown>()
  const socket = await app.injectWS("/eventlog", {}, { onInit: (ws) => void ws.once("message", greeting.resolve) })
  expect(await greeting.promise).toEqual(Buffer.of(1))
  socket.send(Uint8Array.of(5, 6))
  expect((await once(socket, "message"))[0]).toEqual(Buffer.of(5, 6))
  expect(server.frames).toEqual([Uint8Array.of(5, 6)])
  socket.terminate()
})

test("connects under its path and the prefix of the scope that it is registered in", async () => {
  const { url } = await start(async (app, server) => {
    await app.register(websocket)
    await app.register((scope) => scope.register(eventLogPlugin, { server, path: "/sync" }), { prefix: "/v1" })
  })
  await connect(`${url}/v1/sync`)
  await expect(connect(`${url}/eventlog`)).rejects.toThrow("404")
})

test("asks authenticate after every hook of the app, so that it sees what they found out", async () => {
  const { url } = await start(async (app, server) => {
    app.decorateRequest("user", "")
    app.addHook("preHandler", async (request) => Object.assign(request, { user: "ada" }))
    const authenticate = (request: object) => {
      if (Reflect.get(request, "user") !== "ada") throw new Error("unknown")
    }
    await app.register(eventLogPlugin, { server, authenticate })
  })
  await connect(`${url}/eventlog`)
})

test("selects eventlog.v1 among several subprotocols", async () => {
  const { url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  expect((await connect(`${url}/eventlog`, ["other", subprotocol])).protocol).toBe(subprotocol)
})

test("agrees to no compression", async () => {
  const { url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  expect((await connect(`${url}/eventlog`, [], { perMessageDeflate: true })).extensions).toBe("")
})

test("takes a frame in few fragments only", async () => {
  const { server, url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  const socket = await connect(`${url}/eventlog`)
  for (let i = 0; i < 1_200; i++) socket.send(new Uint8Array(), { fin: false })
  expect((await once(socket, "close"))[0]).toBe(1008)
  expect(server.frames).toEqual([])
})

test("has nothing to warn of when it registers the websockets", async () => {
  const { lines } = await start((app, server) => app.register(eventLogPlugin, { server }))
  expect(lines.filter((line) => JSON.parse(line).level >= 40)).toEqual([])
})

test("warns, once, of websockets of the app's own that take more", async () => {
  const { lines, url } = await start(async (app, server) => {
    await app.register(websocket, { options: { perMessageDeflate: true } })
    await app.register(eventLogPlugin, { server })
  })
  await connect(`${url}/eventlog`)
  const warnings = lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40)
  expect(warnings).toEqual([expect.objectContaining({ level: 40, msg: expect.stringContaining("It compresses") })])
  expect(warnings[0].msg).toContain("104857600 bytes, not of 1000")
})

test("keeps a frame that is too big away from the server, and logs it as no error of the app", async () => {
  const { lines, server, url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  const socket = await connect(`${url}/eventlog`)
  socket.send(new Uint8Array(1_001))
  const [code] = await once(socket, "close")
  expect(code).toBe(1009)
  expect(server.frames).toEqual([])
  await expect.poll(() => server.open.size).toBe(0)
  const line = lines.find((line) => line.includes("WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"))
  expect(JSON.parse(line ?? "{}")).toMatchObject({ level: 30 })
})

test("logs why somebody was not authenticated", async () => {
  const authenticate = () => Promise.reject(new Error("the token has expired"))
  const { lines, url } = await start((app, server) => app.register(eventLogPlugin, { server, authenticate }))
  await expect(connect(`${url}/eventlog`)).rejects.toThrow("401")
  expect(lines.join()).toContain("the token has expired")
})

test("app.close closes the server once, while the connections are still there, and leaves nothing behind", async () => {
  const { app, server, url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  const socket = await connect(`${url}/eventlog`)
  const [[code]] = await Promise.all([once(socket, "close"), app.close()])
  expect(code).toBe(1012)
  expect(server.isClosed).toBe(true)
  expect(server.openAtClose).toEqual([1])
  await expect.poll(() => server.open.size).toBe(0)
  expect(app.server.listening).toBe(false)
})

test("app.close gives up on a peer that never answers the close", async () => {
  const { app, server, url } = await start((app, server) => app.register(eventLogPlugin, { server }))
  const socket = await connect(`${url}/eventlog`)
  socket.pause()
  await app.close()
  await expect.poll(() => server.open.size).toBe(0)
})
