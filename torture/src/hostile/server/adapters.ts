import { once } from "node:events"
import type { Server } from "node:http"
import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import { eventLog } from "@eventlog-server/adapter-hono"
import type { Mountable } from "@eventlog-server/core/adapter"
import { createAdaptorServer, upgradeWebSocket, type WebSocketServerLike } from "@hono/node-server"
import { getConnInfo } from "@hono/node-server/conninfo"
import Fastify from "fastify"
import { Hono } from "hono"
import { WebSocketServer } from "ws"

/** An app that listens. */
export interface Mounted {
  readonly http: Server
  readonly close: () => Promise<unknown>
}

const host = "127.0.0.1"

const fastify = async (server: Mountable, port: number): Promise<Mounted> => {
  const app = Fastify()
  await app.register(eventLogPlugin, { server })
  await app.listen({ host, port })
  return { http: app.server, close: () => app.close() }
}

const hono = async (server: Mountable, port: number): Promise<Mounted> => {
  const app = new Hono()
  app.route("/eventlog", eventLog({ server, upgradeWebSocket, getConnInfo }))
  const websockets = new WebSocketServer({ noServer: true, maxPayload: server.limits.maxFrameBytes })
  const http = createAdaptorServer({
    fetch: app.fetch,
    websocket: { server: websockets as WebSocketServerLike }
  }) as Server
  http.listen(port, host)
  await once(http, "listening")
  const close = async (): Promise<void> => {
    await server.close()
    http.close()
    await once(http, "close")
  }
  return { http, close }
}

/** How the docs mount a server into each framework. */
export const adapters = { fastify, hono }
