import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import { webSocketServer } from "@eventlog-server/adapter-hono/node"
import { createAdaptorServer, upgradeWebSocket } from "@hono/node-server"
import { Hono } from "hono"
import { requireUser, type Start } from "./app.ts"
import { loginCookie, logoutCookie, parseName, userOf } from "./session.ts"

/** The app on Hono. */
export const startHono: Start = async ({ todos, files, host, port }) => {
  const app = new Hono()

  app.route(
    "/eventlog",
    eventLog({
      server: todos.server,
      upgradeWebSocket,
      authenticate: (c) => requireUser(c.req.header("cookie"))
    })
  )

  for (const [path, file] of files) {
    app.get(path, (c) => c.body(file.body, 200, { "content-type": file.type }))
  }

  app.post("/login", async (c) => {
    const body = await c.req.json().catch(() => null)
    const user = parseName(body?.name)
    if (user === undefined) return c.json({ message: "A name has 1 to 40 letters, digits or spaces" }, 400)
    return c.json({ user }, 200, { "set-cookie": loginCookie(user) })
  })

  app.post("/logout", (c) => c.body(null, 204, { "set-cookie": logoutCookie }))

  app.get("/me", (c) => {
    const user = userOf(c.req.header("cookie"))
    return c.json({ user }, user === undefined ? 401 : 200)
  })

  app.post("/server-todo", async (c) => {
    const user = userOf(c.req.header("cookie"))
    if (user === undefined) return c.json({ message: "Log in first" }, 401)
    return c.json(await todos.addTodo(user))
  })

  const http = createAdaptorServer({ fetch: app.fetch, websocket: { server: webSocketServer(todos.server) } })
  http.listen(port, host)
  await once(http, "listening")

  return {
    port: (http.address() as AddressInfo).port,
    close: async () => {
      await todos.server.close()
      http.close()
      await once(http, "close")
    }
  }
}
