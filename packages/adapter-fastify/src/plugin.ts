import type { ConnectionInfo } from "@eventlog-server/core"
import {
  checkOptions,
  isOriginAllowed,
  type Mountable,
  type ProtocolName,
  type Transport,
  upgradeRequired,
  webSocketOptions,
  webSocketWarning
} from "@eventlog-server/core/adapter"
import websocket, { type WebSocket } from "@fastify/websocket"
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify"
import fp from "fastify-plugin"
import { type EventLogPluginOptions, expectedOptions } from "./options.ts"
import { corkable, holdForTurn, TurnSender } from "./turns.ts"

/** How the sockets are served, unless the app registered @fastify/websocket with options of its own. */
const pluginOptions = (server: Mountable): websocket.WebsocketPluginOptions => {
  // The default terminates, which can cut off the close frame that tells the client what it did wrong.
  const errorHandler: websocket.WebsocketPluginOptions["errorHandler"] = (error, socket, request) => {
    request.log.info({ err: error }, "A websocket failed")
    socket.close(1011)
  }
  return { options: webSocketOptions(server.limits), errorHandler }
}

const transportOf = (socket: WebSocket, sender: TurnSender): Transport => ({
  send: (frame) => sender.send(frame.byteLength, () => socket.send(frame)),
  bufferedBytes: () => socket.bufferedAmount,
  close: (code, reason) => {
    // Now: who is terminated next would not get the reason.
    sender.release()
    socket.close(code, reason)
    // From here on the socket is read for the peer's answer.
    socket.resume()
  },
  terminate: () => socket.terminate(),
  pause: () => {
    if (socket.readyState === socket.OPEN) socket.pause()
  },
  resume: () => socket.resume()
})

const singleValues = (headers: FastifyRequest["headers"]): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]))

const describe = (request: FastifyRequest, principal: unknown): ConnectionInfo => ({
  remoteAddress: request.socket?.remoteAddress,
  headers: singleValues(request.headers),
  principal
})

const plugin: FastifyPluginAsync<EventLogPluginOptions> = async (app, options) => {
  checkOptions("eventLogPlugin", options, expectedOptions)
  const { allowedOrigins = "same-origin", authenticate, path = "/eventlog", server } = options
  const connections = new WeakMap<FastifyRequest, ConnectionInfo>()
  /** What is known of a connection, once it was authenticated. */
  const infoOf = (request: FastifyRequest) => connections.get(request) as ConnectionInfo

  const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const { host, origin } = request.headers
    if (!isOriginAllowed({ host, origin }, allowedOrigins)) return reply.code(403).send()
    try {
      connections.set(request, describe(request, await authenticate?.(request)))
    } catch (error) {
      request.log.info({ err: error }, "An event log client was not authenticated")
      return reply.code(401).send()
    }
    const refusal = await server.admit(infoOf(request))
    if (refusal !== undefined) return reply.code(refusal).send()
    // Told last, so that a client whose websocket is refused can ask without one for what.
    if (!request.ws) {
      return reply.code(426).headers({ connection: "upgrade", upgrade: "websocket" }).send(upgradeRequired)
    }
    // The server's greeting goes out with the answer to the upgrade.
    holdForTurn(corkable(request.raw.socket))
  }

  const accept = (protocol: ProtocolName) => (socket: WebSocket, request: FastifyRequest) => {
    // @fastify/websocket closes the clients it knows without a code, and its hook may run before ours.
    app.websocketServer.clients.delete(socket)
    const sender = new TurnSender(corkable(request.raw.socket))
    const listener = server.connect(transportOf(socket, sender), infoOf(request), protocol)
    socket.on("message", (data: Buffer, isBinary) =>
      listener.receive(isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data.toString())
    )
    socket.on("close", () => listener.closed())
  }

  if (!app.hasPlugin("@fastify/websocket")) await app.register(websocket, pluginOptions(server))
  const warning = webSocketWarning(server.limits, app.websocketServer.options)
  if (warning !== undefined) app.log.warn(warning)
  // Only the app knows what type it registered.
  app.decorate("eventLog", server as FastifyInstance["eventLog"])
  app.addHook("preClose", () => server.close())
  for (const endpoint of server.endpoints) {
    app.get(path + endpoint.path, { websocket: true, preHandler: admit }, accept(endpoint.protocol))
  }
}

/** Mounts an event-log server into a Fastify 5 app. Hooks of the app run before the upgrade and may refuse it. */
export const eventLogPlugin: FastifyPluginAsync<EventLogPluginOptions> = fp(plugin, {
  name: "@eventlog-server/adapter-fastify",
  fastify: "5.x"
})
