import type { Health } from "@eventlog-server/core"
import { readKeyBody, readWriteBody } from "./bodies.ts"
import type { Reply } from "./reply.ts"
import type { TodoServer } from "./server.ts"

/** An HTTP route, for whichever framework. `params` are URL-decoded, `body` is text. */
export interface Route {
  readonly method: "DELETE" | "GET" | "POST" | "PUT"
  readonly path: string
  readonly handle: (params: Readonly<Record<string, string>>, body: string) => Promise<Reply>
}

const ok = (body: unknown): Reply => ({ status: 200, body })
const done: Reply = { status: 204, body: null }

/** Why the storage is unavailable is for the log. */
const replyOfHealth = (health: Health): Reply => {
  if (health.status === "unavailable") console.error(health.error)
  return { status: health.status === "ok" ? 200 : 503, body: { status: health.status } }
}

/** What administrators can ask for over HTTP. */
export const makeRoutes = (server: TodoServer): ReadonlyArray<Route> => [
  {
    method: "POST",
    path: "/stores/:storeId/events",
    handle: async ({ storeId }, body) => {
      // Whether the payload is that of the event only the server can tell, and does.
      const write = { storeId, ...readWriteBody(body) } as Parameters<TodoServer["write"]>[0]
      return ok(await server.write(write))
    }
  },
  {
    method: "PUT",
    path: "/keys/:publicKey",
    handle: async ({ publicKey = "" }, body) => {
      await server.assign({ publicKey, ...readKeyBody(body) })
      return done
    }
  },
  {
    method: "DELETE",
    path: "/keys/:publicKey",
    handle: async ({ publicKey = "" }) => {
      await server.remove(publicKey)
      return done
    }
  },
  {
    method: "GET",
    path: "/stats",
    handle: async () => ok({ ...(await server.stats()), rss: process.memoryUsage.rss() })
  },
  {
    method: "GET",
    path: "/healthz",
    handle: async () => replyOfHealth(await server.health())
  }
]
