import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Device, RpcPeer } from "@eventlog-server/testkit/devices"
import { schema, Todos, todosAdded } from "@eventlog-server/testkit/schema"
import { Effect, Layer } from "effect"
import { EventLog } from "effect/eventlog"
import { HttpRouter, HttpServer, type HttpServerRequest } from "effect/http"
import { describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import {
  CurrentConnection,
  EventLogServerAuth,
  EventLogServerUnencrypted,
  layer,
  makeHandlerHttpWith,
  StoreId
} from "../../src/effect.ts"
import { memoryBackend } from "../../src/index.ts"
import type { ServerOptions } from "../../src/server/options.ts"
import { upgradeRequired } from "../../src/wire/messages.ts"

const storeId = StoreId.make("store")
const windowBytes = 16 * 1024

/** Effect's HTTP server with the handler on `/eventlog` and `/eventlog/rpc`, and what a test asks of it. */
const withHttpServer = (
  test: (options: {
    readonly url: string
    readonly server: EventLogServerUnencrypted["Service"]
    readonly principals: ReadonlyArray<unknown>
  }) => Promise<void>,
  options: Pick<ServerOptions, "protocols"> = {}
): Promise<void> => {
  const principals: Array<unknown> = []
  const auth = Layer.succeed(EventLogServerAuth, {
    authorizeRead: () => Effect.void,
    authorizeWrite: () =>
      Effect.map(CurrentConnection, (connection) => {
        principals.push(connection?.principal)
      })
  })
  const handlers = EventLog.group(Todos, (handlers) =>
    handlers.handle("TodoAdded", () => Effect.void).handle("TodoToggled", () => Effect.void)
  )
  const server = layer(schema, handlers, {
    ...options,
    sessionAuth: "off",
    limits: { outboundHighWaterBytes: windowBytes, maxPageEntries: 4 }
  }).pipe(Layer.provide([memoryBackend().layer, auth]))
  const authenticate = ({ headers }: HttpServerRequest.HttpServerRequest) =>
    headers["x-user"] === "mallory" ? Effect.fail("nobody knows her") : Effect.succeed(headers["x-user"])
  const route = Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const handler = yield* makeHandlerHttpWith({ authenticate })
    for (const path of ["/eventlog", "/eventlog/rpc"] as const) yield* router.add("GET", path, handler)
  })
  const http = HttpRouter.serve(Layer.effectDiscard(route), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
    Layer.provideMerge(server)
  )
  return Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const server = yield* EventLogServerUnencrypted
    yield* server.assign({ publicKey: "A", storeId })
    const port = "port" in address ? address.port : 0
    yield* Effect.promise(() => test({ url: `ws://127.0.0.1:${port}/eventlog`, server, principals }))
  }).pipe(Effect.provide(http), Effect.scoped, Effect.runPromise)
}

const refusal = (url: string, headers: Record<string, string>): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, { headers })
    socket.on("unexpected-response", (_, response) => {
      resolve(response.statusCode)
      socket.terminate()
    })
    socket.on("error", () => {})
  })

describe("makeHandlerHttp", () => {
  it("serves the protocol on effect's HTTP server, and names who connects", async () => {
    await withHttpServer(async ({ principals, url }) => {
      const device = await Device.open(url, { "x-user": "ann" })
      expect(await device.write("A", todosAdded(2))).toMatchObject({ sequenceNumbers: [1, 2] })
      await device.subscribe("A")
      expect(await device.untilDelivered("A", 2)).toHaveLength(2)
      expect(principals).toEqual(["ann"])
      await device.close()
    })
  })

  it("serves effect's own client where the path ends with /rpc, asking the same of who connects", async () => {
    await withHttpServer(async ({ url }) => {
      const peer = new RpcPeer(url)
      await peer.opened
      expect(await peer.write("A", todosAdded(2))).toMatchObject({ _tag: "Success", value: [] })
      const device = await Device.open(url)
      await device.subscribe("A")
      expect(await device.untilDelivered("A", 2)).toHaveLength(2)
      expect(await refusal(`${url}/rpc`, { "x-user": "mallory" })).toBe(401)
      expect(await refusal(`${url}/rpc`, { origin: "https://elsewhere.example" })).toBe(403)
      await device.close()
      peer.socket.close()
      await peer.closed
    })
  })

  it("answers 404 where a protocol is switched off", async () => {
    await withHttpServer(
      async ({ url }) => {
        expect(await refusal(`${url}/rpc`, {})).toBe(404)
        await (await Device.open(url)).close()
      },
      { protocols: { rpc: false } }
    )
    await withHttpServer(async ({ url }) => expect(await refusal(url, {})).toBe(404), {
      protocols: { eventlog: false }
    })
  })

  it("refuses who is not authenticated, and pages of other origins, before the upgrade", async () => {
    await withHttpServer(async ({ url }) => {
      expect(await refusal(url, { "x-user": "mallory" })).toBe(401)
      expect(await refusal(url, { origin: "https://elsewhere.example" })).toBe(403)
    })
  })

  it("refuses a plain GET as it would refuse the upgrade, so that a client can find out why", async () => {
    await withHttpServer(async ({ url }) => {
      const get = (headers: Record<string, string>) => fetch(url.replace("ws:", "http:"), { headers })
      expect((await get({ "x-user": "mallory" })).status).toBe(401)
      const answer = await get({})
      expect([answer.status, answer.headers.get("upgrade"), await answer.text()]).toEqual([
        426,
        "websocket",
        upgradeRequired
      ])
    })
  })

  it("paces a backlog by Pong where the socket can't tell what it holds", async () => {
    await withHttpServer(async ({ server, url }) => {
      const text = "x".repeat(1024)
      for (let index = 0; index < 200; index++) {
        const payload = { id: String(index), text }
        await Effect.runPromise(server.write({ schema, storeId, event: "TodoAdded", payload }))
      }
      const silent = await Device.open(url, {}, { answersPings: false })
      await silent.subscribe("A")
      await silent.next("Ping")
      await silent.settled()
      const window = silent.delivered("A").length
      expect(window).toBeGreaterThan(0)
      const device = await Device.open(url)
      await device.subscribe("A")
      expect(await device.untilDelivered("A", 200)).toHaveLength(200)
      expect(silent.delivered("A")).toHaveLength(window)
      await silent.close()
      await device.close()
    })
  })

  it("closes with 1012 when the server drains", async () => {
    await withHttpServer(async ({ server, url }) => {
      const device = await Device.open(url)
      await Effect.runPromise(server.drain)
      expect(await device.untilClosed()).toMatchObject({ code: 1012 })
    })
  })
})
