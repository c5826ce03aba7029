import { once } from "node:events"
import { chromiumMissing, insecureHost, launchChromium } from "@eventlog-server/testkit/browser"
import { freePort } from "@eventlog-server/testkit/network"
import type { Browser } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { openDevice, report, Tab } from "./device.ts"
import { buildExample, killLeftovers, type Running, spawnScript, startServer } from "./process.ts"

afterAll(killLeftovers)

/** What the page can sync with, and what it says once it does. */
interface Client {
  readonly name: string
  readonly query: string
  readonly online: string
}

const clients = {
  eventlog: { name: "this repository's", query: "", online: "Synced with the server" },
  effect: { name: "effect's own", query: "?client=effect", online: "Connected to the server" }
} satisfies Record<string, Client>

const waitFor = <A>(read: () => Promise<A>) => expect.poll(read, { timeout: 30_000 })

it("has a browser to test with", ({ skip }) => {
  if (chromiumMissing === undefined) return
  if (process.env.CI === "true") throw new Error(chromiumMissing)
  skip(chromiumMissing)
})

describe.skipIf(chromiumMissing !== undefined)("the todo app in a browser", { timeout: 90_000 }, () => {
  let script: URL
  let browser: Browser
  let server: Running
  let user: string

  beforeAll(async () => {
    script = new URL("server.js", await buildExample("todo"))
    browser = await launchChromium()
  }, 90_000)
  afterAll(() => browser.close())

  beforeEach(() => {
    user = `user ${crypto.randomUUID().slice(0, 8)}`
  })
  afterEach(async ({ task }) => {
    const contexts = browser.contexts()
    // What a page showed, and said in its console, is all that there is to see why it failed.
    if (task.result?.state === "fail") await Promise.all(contexts.flatMap((context) => context.pages()).map(report))
    await Promise.all(contexts.map((context) => context.close()))
  })

  const start = async (adapter: string, port = "0") => {
    server = await startServer(script, ["--adapter", adapter, "--port", port, "--data", ":memory:"])
  }
  const device = (client: Client = clients.eventlog) => openDevice(browser, server.url + client.query, user)

  describe.each([
    { adapter: "fastify", client: clients.eventlog },
    { adapter: "hono", client: clients.eventlog },
    { adapter: "fastify", client: clients.effect },
    { adapter: "hono", client: clients.effect }
  ])("on $adapter, with $client.name client", ({ adapter, client }) => {
    const device = () => openDevice(browser, server.url + client.query, user)

    beforeAll(async () => start(adapter, `${await freePort()}`))
    afterAll(() => server.stop())

    it("brings two devices together after one was offline, and shows what the backend adds on both", async () => {
      const laptop = await device()
      const phone = await device()
      await laptop.add("Milk")
      await laptop.add("Bread")
      await waitFor(() => phone.todos()).toEqual(["[ ] Milk", "[ ] Bread"])

      await phone.press("Work offline")
      await waitFor(() => phone.connection()).toContain("Offline")
      expect(await phone.lastError()).toBe("")
      await phone.rename("Milk", "Oat milk")
      await phone.add("Rice")
      await waitFor(() => phone.pending()).toBe("2")
      await laptop.toggle("Milk")
      await laptop.remove("Bread")
      await laptop.press("Let the server add one")
      await waitFor(() => laptop.todos()).toHaveLength(2)
      expect(await phone.todos()).toEqual(["[ ] Oat milk", "[ ] Bread", "[ ] Rice"])

      await phone.press("Work offline")
      const together = ["[x] Oat milk", "[ ] Rice", expect.stringMatching(/^\[ ] From the server/)]
      await waitFor(() => phone.todos()).toEqual(together)
      await waitFor(() => laptop.todos()).toEqual(together)
      await waitFor(() => phone.pending()).toBe("0")
      await waitFor(() => laptop.connection()).toBe(client.online)
      await waitFor(() => phone.connection()).toBe(client.online)
    })

    it("starts from IndexedDB without the server, and recovers when it comes back and has forgotten all", async () => {
      const laptop = await device()
      const phone = await device()
      await laptop.add("Milk")
      await waitFor(() => phone.todos()).toEqual(["[ ] Milk"])
      await phone.add("Bread")
      await waitFor(() => laptop.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
      await phone.kept()

      const { port } = new URL(server.url)
      await server.stop()
      await phone.page.reload()
      await waitFor(() => phone.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
      await phone.add("Rice")
      await laptop.toggle("Milk")

      await start(adapter, port)
      const together = ["[x] Milk", "[ ] Bread", "[ ] Rice"]
      await waitFor(() => phone.todos()).toEqual(together)
      await waitFor(() => laptop.todos()).toEqual(together)
      await waitFor(() => phone.pending()).toBe("0")

      // All that the server has now it has from the two.
      const tablet = await device()
      await waitFor(() => tablet.todos()).toEqual(together)
    })

    it("keeps users apart, and lets nobody in without a login", async () => {
      const mine = await device()
      await mine.add("Milk")
      await waitFor(() => mine.pending()).toBe("0")
      const another = await openDevice(browser, server.url + client.query, "somebody else")
      await waitFor(() => another.connection()).toBe(client.online)
      expect(await another.todos()).toEqual([])

      expect((await fetch(`${server.url}/me`)).status).toBe(401)
      expect((await fetch(`${server.url}/server-todo`, { method: "POST" })).status).toBe(401)
      const withoutLogin = new WebSocket(`${server.url.replace(/^http/, "ws")}/eventlog`)
      await expect(once(withoutLogin, "open")).rejects.toThrow("401")
    })
  })

  describe("on either", () => {
    beforeAll(() => start("fastify"))
    afterAll(() => server.stop())

    it("brings devices with either client together", async () => {
      const laptop = await device(clients.eventlog)
      const phone = await device(clients.effect)
      await laptop.add("Milk")
      await phone.add("Bread")
      await laptop.press("Let the server add one")
      for (const each of [laptop, phone]) await waitFor(() => each.todos()).toHaveLength(3)
      await phone.press("Work offline")
      await phone.toggle("Milk")
      await laptop.remove("Bread")
      await phone.press("Work offline")
      const together = ["[x] Milk", expect.stringMatching(/^\[ ] From the server/)]
      for (const each of [laptop, phone]) await waitFor(() => each.todos()).toEqual(together)
      for (const each of [laptop, phone]) await waitFor(() => each.pending()).toBe("0")
    })

    it("keeps a browser's todos and identity when it changes its client", async () => {
      const laptop = await device(clients.eventlog)
      await laptop.add("Milk")
      await waitFor(() => laptop.pending()).toBe("0")
      await laptop.page.goto(server.url + clients.effect.query)
      await waitFor(() => laptop.connection()).toBe(clients.effect.online)
      await laptop.add("Bread")
      await waitFor(() => laptop.pending()).toBe("0")
      await laptop.page.goto(server.url)
      await waitFor(() => laptop.connection()).toBe(clients.eventlog.online)
      expect(await laptop.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
    })

    it("shows in one tab what another tab of the same browser writes and receives, online and offline", async () => {
      const first = await device()
      const second = new Tab(await first.context.newPage())
      await second.page.goto(server.url)
      await first.add("Milk")
      await waitFor(() => second.todos()).toEqual(["[ ] Milk"])
      await first.press("Work offline")
      await (await device()).add("Bread")
      await waitFor(() => first.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
      await second.press("Work offline")
      await second.toggle("Milk")
      await waitFor(() => first.todos()).toEqual(["[x] Milk", "[ ] Bread"])
    })

    it("says so when the port is taken", async () => {
      const { port } = new URL(server.url)
      const { code, stderr } = await spawnScript(script, ["--port", port, "--data", ":memory:"]).ended
      expect([code, stderr]).toEqual([1, `Port ${port} is taken. Choose another one: npm start -- --port 9401\n`])
    })

    it("recovers after the browser itself was offline", async () => {
      const laptop = await device()
      const phone = await device()
      await waitFor(() => phone.connection()).toBe("Synced with the server")
      await phone.context.setOffline(true)
      await phone.add("Milk")
      await laptop.add("Bread")
      await waitFor(() => laptop.pending()).toBe("0")
      expect([await phone.pending(), await phone.todos()]).toEqual(["1", ["[ ] Milk"]])
      await phone.context.setOffline(false)
      await waitFor(() => phone.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
      await waitFor(() => laptop.todos()).toEqual(["[ ] Milk", "[ ] Bread"])
    })

    it("says so where the origin is not secure", async () => {
      const page = await browser.newPage()
      await page.goto(server.url.replace("localhost", insecureHost))
      expect(await page.getByRole("alert").textContent()).toMatch(/needs https, or http:\/\/localhost/)
      expect(await page.getByLabel("Your name").isVisible()).toBe(false)
    })

    it("asks for the login again when the session is gone", async () => {
      const laptop = await device()
      await laptop.add("Milk")
      await laptop.context.clearCookies()
      await laptop.press("Work offline")
      await laptop.login(user)
      await waitFor(() => laptop.todos()).toEqual(["[ ] Milk"])
      await waitFor(() => laptop.connection()).toBe("Synced with the server")
    })

    it("shows what users type as text, and keeps the focus in the list", async () => {
      const laptop = await device()
      const text = `<img src=x onerror="document.title='run'">`
      await laptop.add(text)
      await laptop.add("Milk")
      expect(await laptop.todos()).toEqual([`[ ] ${text}`, "[ ] Milk"])
      await laptop.remove(text)
      expect(await laptop.page.title()).toBe("Todos")
      expect(await laptop.page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Remove: Milk")
    })
  })
})
