import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import { type Mountable, webSocketOptions } from "@eventlog-server/core/adapter"
import { adapterSuite, type Mount } from "@eventlog-server/core/conformance"
import websocket from "@fastify/websocket"
import Fastify, { type FastifyInstance } from "fastify"

const mount =
  (before: (app: FastifyInstance, server: Mountable) => unknown = () => {}): Mount =>
  async ({ allowedOrigins, authenticate, refuse, server }) => {
    const app = Fastify()
    await before(app, server)
    if (refuse !== undefined) app.addHook("preHandler", (_, reply) => reply.code(refuse).send())
    await app.register(eventLogPlugin, {
      server,
      authenticate:
        authenticate && ((request) => authenticate((name) => request.headers[name.toLowerCase()]?.toString())),
      allowedOrigins
    })
    const address = await app.listen({ host: "127.0.0.1", port: 0 })
    return { url: `${address.replace("http:", "ws:")}/eventlog`, close: () => app.close() }
  }

adapterSuite("Fastify", mount())

adapterSuite(
  "Fastify, in an app with @fastify/websocket",
  mount((app, { limits }) => {
    const { handleProtocols } = webSocketOptions(limits)
    return app.register(websocket, { options: { handleProtocols } })
  })
)
