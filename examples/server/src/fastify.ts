import type { AddressInfo } from "node:net"
import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import Fastify from "fastify"
import { replyWith } from "./reply.ts"
import type { Start } from "./start.ts"

/** Runs on Fastify. */
export const startFastify: Start = async ({ server, routes, path, host, port }) => {
  // Public keys and store ids are longer than the parameters that Fastify expects.
  const app = Fastify({ routerOptions: { maxParamLength: 4_096 } })

  await app.register(eventLogPlugin, { server, path })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body))

  for (const { method, path: url, handle } of routes) {
    app.route<{ Params: Record<string, string>; Body: string | undefined }>({
      method,
      url,
      handler: async (request, reply) => {
        const { host, origin } = request.headers
        const { status, body } = await replyWith({ host, origin }, () => handle(request.params, request.body ?? ""))
        return reply.code(status).send(body)
      }
    })
  }

  await app.listen({ host, port })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
