import { EventLogClient, generateIdentity } from "@eventlog-server/core/client"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { createApp } from "../src/app.ts"
import { Shopping, schema } from "../src/events.ts"
import { serve } from "../src/serve.ts"

const url = process.env.REDIS_URL ?? "redis://127.0.0.1:6379"

const connect = async (): Promise<Redis> => {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null })
  redis.on("error", () => {})
  await redis.connect()
  return redis
}

const redis = await connect().catch(() => undefined)
const missing = `Nothing answers on ${url}: start Redis (apt-get install redis-server), or set REDIS_URL`

it("has a Redis to test with", ({ skip }) => {
  if (redis !== undefined) return
  if (process.env.CI === "true") throw new Error(missing)
  skip(missing)
})

describe.skipIf(redis === undefined)("the shopping list, served twice on one Redis", () => {
  const prefix = `shopping-test-${crypto.randomUUID()}:`
  const scope = Scope.makeUnsafe()
  let nodes: ReadonlyArray<Awaited<ReturnType<typeof serve>>>
  let cookie: string

  const start = () => serve(createApp({ redis: redis!, prefix, secret: "secret" }), 0)

  beforeAll(async () => {
    nodes = [await start(), await start()]
    const login = await post(0, "/login", { household: "The Does" })
    cookie = login.headers.get("set-cookie")!.split(";")[0]!
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    for (const { stop } of nodes) await stop()
    const keys = await redis!.keys(`${prefix}*`)
    if (keys.length > 0) await redis!.unlink(keys)
    redis!.disconnect()
  })

  const post = (node: number, path: string, form: Record<string, string>) =>
    fetch(nodes[node]!.url + path, {
      method: "POST",
      body: new URLSearchParams(form),
      headers: { cookie: cookie ?? "", origin: nodes[node]!.url },
      redirect: "manual"
    })

  const page = async (node: number): Promise<string> => (await fetch(nodes[node]!.url, { headers: { cookie } })).text()

  /** A device of the household, whose list is what its handlers made of the events. */
  const openDevice = async (node: number) => {
    const items = new Map<string, string>()
    const handlers = EventLog.group(Shopping, (on) =>
      on
        .handle("ItemAdded", ({ payload }) => Effect.sync(() => items.set(payload.id, payload.text)))
        .handle("ItemBought", ({ payload }) => Effect.sync(() => items.delete(payload.id)))
    )
    const headers = { cookie }
    class WithCookie extends WebSocket {
      constructor(url: string, protocols?: string | Array<string>) {
        super(url, protocols, { headers })
      }
    }
    const client = EventLogClient.layer({
      url: `${nodes[node]!.url.replace("http", "ws")}/eventlog`,
      WebSocket: WithCookie as unknown as typeof globalThis.WebSocket
    })
    const app = client.pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provide([EventJournal.layerMemory, Layer.effect(EventLog.Identity, generateIdentity)])
    )
    const context = await Effect.runPromise(Layer.buildWithScope(app, scope))
    const log = Context.get(context, EventLog.EventLog)
    return {
      items: () => [...items.values()],
      add: (id: string, text: string) =>
        Effect.runPromise(log.write({ schema, event: "ItemAdded", payload: { id, text } }))
    }
  }

  const eventually = <A>(read: () => A) => expect.poll(read, { timeout: 15_000 })

  it("asks for a login", async () => {
    expect(await (await fetch(nodes[0]!.url)).text()).toContain("Your household")
    const device = new WebSocket(`${nodes[0]!.url.replace("http", "ws")}/eventlog`)
    await expect(new Promise((_, reject) => device.once("error", reject))).rejects.toThrow("401")
  })

  it("shows on every page and device what came in anywhere, also after it was started again", async () => {
    const device = await openDevice(1)
    await post(0, "/items", { text: "Milk & <bread>" })
    expect(await page(0)).toContain("Milk &amp; &lt;bread&gt;")
    await eventually(() => page(1)).toContain("Milk &amp; &lt;bread&gt;")
    await eventually(device.items).toEqual(["Milk & <bread>"])

    await device.add("1", "Rice")
    await eventually(() => page(0)).toContain("Rice")

    await post(1, "/bought", { id: "1" })
    expect(await page(1)).not.toContain("Rice")
    await eventually(device.items).toEqual(["Milk & <bread>"])

    const [first] = nodes
    nodes = [await start(), nodes[1]!]
    await first!.stop()
    expect(await page(0)).toContain("Milk &amp; &lt;bread&gt;")
    const another = await openDevice(0)
    await eventually(another.items).toEqual(["Milk & <bread>"])
  })

  it("keeps households apart", async () => {
    await post(0, "/items", { text: "Secret" })
    const login = await post(0, "/login", { household: "The Others" })
    const theirs = login.headers.get("set-cookie")!.split(";")[0]!
    const shown = await (await fetch(nodes[0]!.url, { headers: { cookie: theirs } })).text()
    expect(shown).not.toContain("Secret")
    const forged = await (await fetch(nodes[0]!.url, { headers: { cookie: "household=The%20Does.forged" } })).text()
    expect(forged).toContain("Your household")
  })
})
