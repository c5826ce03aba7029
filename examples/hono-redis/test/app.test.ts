import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { openApp } from "@eventlog-server/testkit/devices"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect } from "effect"
import { EventLog } from "effect/eventlog"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { WebSocket } from "ws"
import { createApp } from "../src/app.ts"
import { Shopping, schema } from "../src/events.ts"
import { serve } from "../src/serve.ts"

describeUnless(redisMissing())("the shopping list, served twice on one Redis", () => {
  let server: RedisServer
  let redis: Redis
  let nodes: ReadonlyArray<Awaited<ReturnType<typeof serve>>>
  let cookie: string

  const start = () => serve(createApp({ redis, prefix: "shopping:", secret: "secret" }), 0)

  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    nodes = [await start(), await start()]
    const login = await post(0, "/login", { household: "The Does" })
    cookie = login.headers.get("set-cookie")!.split(";")[0]!
  })
  afterAll(async () => {
    for (const { stop } of nodes) await stop()
    redis.disconnect()
    await server.stop()
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
    const url = `${nodes[node]!.url}/eventlog`
    const { write } = await openApp({ url, headers: { cookie }, schema, handlers })
    return {
      items: () => [...items.values()],
      add: (id: string, text: string) => write({ event: "ItemAdded", payload: { id, text } })
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
