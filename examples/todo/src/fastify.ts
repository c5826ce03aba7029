import type { AddressInfo } from "node:net"
import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import Fastify from "fastify"
import { requireUser, type Start } from "./app.ts"
import { loginCookie, logoutCookie, parseName, userOf } from "./session.ts"

/** The app on Fastify. */
export const startFastify: Start = async ({ todos, files, host, port }) => {
  const app = Fastify()

  await app.register(eventLogPlugin, {
    server: todos.server,
    authenticate: (request) => requireUser(request.headers.cookie)
  })

  for (const [path, file] of files) {
    app.get(path, (_request, reply) => reply.type(file.type).send(file.body))
  }

  app.post<{ Body: { name?: unknown } | null }>("/login", (request, reply) => {
    const user = parseName(request.body?.name)
    if (user === undefined) return reply.code(400).send({ message: "A name has 1 to 40 letters, digits or spaces" })
    return reply.header("set-cookie", loginCookie(user)).send({ user })
  })

  app.post("/logout", (_request, reply) => reply.header("set-cookie", logoutCookie).code(204).send())

  app.get("/me", (request, reply) => {
    const user = userOf(request.headers.cookie)
    return reply.code(user === undefined ? 401 : 200).send({ user })
  })

  app.post("/server-todo", async (request, reply) => {
    const user = userOf(request.headers.cookie)
    if (user === undefined) return reply.code(401).send({ message: "Log in first" })
    return todos.addTodo(user)
  })

  await app.listen({ host, port })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
