import { eventLog } from "@eventlog-server/adapter-hono"
import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { redisBackend } from "@eventlog-server/storage-redis"
import { upgradeWebSocket } from "@hono/node-server"
import { type Context, Hono } from "hono"
import { csrf } from "hono/csrf"
import type { Redis } from "ioredis"
import { schema } from "./events.ts"
import { makeLists } from "./lists.ts"
import { listPage, loginPage } from "./pages.ts"
import { makeSession } from "./session.ts"

/** What the app is given. Several of them on one Redis are one app. */
export interface AppOptions {
  /** Stays open when the app closes. */
  readonly redis: Redis
  /** Signs cookies. */
  readonly secret: string
  /** Begins the names of all keys. @default "shopping:" */
  readonly prefix?: string
}

/** A shopping list for each household: pages for browsers, and `/eventlog` for devices that also work offline. */
export const createApp = ({ redis, secret, prefix = "shopping:" }: AppOptions) => {
  const lists = makeLists(redis, prefix)
  const session = makeSession(secret)

  const server = createEventLogServer({
    schema,
    handlers: {
      ItemAdded: async ({ payload, storeId }) => void (await lists.add(storeId, payload)),
      ItemBought: async ({ payload, storeId }) => void (await lists.buy(storeId, payload))
    },
    backend: redisBackend({ redis, prefix: `${prefix}log:` }),
    // A device gets the list of the household that was logged in when it first came.
    enroll: ({ connection }) => connection?.principal as string,
    auth: allowAll
  })

  /** Writes an event for the household, waits until the list heeds it, and shows the list again. */
  const write = async (c: Context, event: (storeId: string) => ReturnType<typeof server.write>) => {
    const storeId = await session.householdOf(c)
    if (storeId !== undefined) {
      const { sequenceNumbers } = await event(storeId)
      await server.processed({ storeId, sequence: sequenceNumbers[0]! })
    }
    return c.redirect("/", 303)
  }

  const field = async (c: Context, name: string): Promise<string> =>
    String((await c.req.parseBody())[name] ?? "").trim()

  const app = new Hono()
  app.use(csrf())

  app.get("/", async (c) => {
    const household = await session.householdOf(c)
    return c.html(household === undefined ? loginPage() : listPage(await lists.items(household)))
  })

  app.post("/login", async (c) => {
    const household = await field(c, "household")
    if (household !== "") await session.login(c, household.slice(0, 100))
    return c.redirect("/", 303)
  })

  app.post("/items", async (c) => {
    const payload = { id: crypto.randomUUID(), text: await field(c, "text") }
    return write(c, (storeId) => server.write({ storeId, event: "ItemAdded", payload }))
  })

  app.post("/bought", async (c) => {
    const payload = { id: await field(c, "id") }
    return write(c, (storeId) => server.write({ storeId, event: "ItemBought", payload }))
  })

  app.route(
    "/eventlog",
    eventLog({
      server,
      upgradeWebSocket,
      authenticate: async (c) => {
        const household = await session.householdOf(c)
        if (household === undefined) throw new Error("Log in first")
        return household
      }
    })
  )

  return { app, server }
}
