import { bundle, chromiumMissing, launchChromium, servePage } from "@eventlog-server/testkit/browser"
import { openSockets } from "@eventlog-server/testkit/devices"
import { EventLog } from "effect/eventlog"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { allowAll, createEventLogServer, memoryBackend } from "../../../src/index.ts"
import { type App, todosOf } from "./appPage.ts"

declare const app: App
declare const startApp: (version: "old" | "new", url: string) => Promise<void>

describe.skipIf(chromiumMissing !== undefined)("an app in Chromium", () => {
  let browser: Browser
  let site: Awaited<ReturnType<typeof servePage>>

  beforeAll(async () => {
    site = await servePage(await bundle(new URL("appPage.ts", import.meta.url)))
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser.close()
    site.close()
  })

  const startServer = async () => {
    const server = createEventLogServer({
      schema: EventLog.schema(todosOf("new")),
      handlers: { TodoAdded: () => {} },
      backend: memoryBackend(),
      auth: allowAll,
      enroll: () => "store"
    })
    const line = { leads: true }
    const sockets = await openSockets(() => (line.leads ? server : undefined))
    onTestFinished(async () => {
      await sockets.close()
      await server.close()
    })
    const add = (id: string, text?: string) =>
      server.write({ storeId: "store", event: "TodoAdded", payload: text === undefined ? { id } : { id, text } })
    return { sockets, add, line }
  }

  const openPage = async () => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await load(page)
    return page
  }
  const load = async (page: Page) => {
    await page.goto(site.url)
    await page.waitForFunction(() => "startApp" in globalThis)
  }
  const start = (page: Page, version: "old" | "new", url: string) =>
    page.evaluate(([version, url]) => startApp(version, url).then(() => {}), [version, url] as const)

  it("applies all of 5,000 entries but the two that its version can't, and those after the upgrade", async () => {
    const { add, sockets } = await startServer()
    const ids = Array.from({ length: 5_000 }, (_, index) => `${index}`)
    ids[1_000] = "textless"
    ids[2_000] = "throws"
    await Promise.all(ids.map((id) => add(id, id === "textless" ? undefined : "text")))

    const page = await openPage()
    await start(page, "old", sockets.url)
    await expect
      .poll(() => page.evaluate(() => app.status()))
      .toMatchObject({ caughtUp: true, cursor: 5_000, aside: expect.arrayContaining(["throws: HandlerFailed"]) })
    const { aside } = await page.evaluate(() => app.status())
    expect(aside).toEqual(["textless: Undecodable", "throws: HandlerFailed"])
    expect(await page.evaluate(() => app.held())).toBe(5_000)
    expect(new Set(await page.evaluate(() => app.handled)).size).toBe(4_999)

    await load(page)
    await start(page, "new", sockets.url)
    await expect.poll(() => page.evaluate(() => app.status())).toMatchObject({ caughtUp: true, aside: [] })
    expect(await page.evaluate(() => app.handled)).toEqual(["textless", "throws"])
  })

  it("knows what is unsent at once when it is loaded again without a connection", async () => {
    const { line, sockets } = await startServer()
    const page = await openPage()
    await start(page, "new", sockets.url)
    await expect.poll(() => page.evaluate(() => app.status())).toMatchObject({ caughtUp: true, pendingWrites: 0 })
    line.leads = false
    sockets.cut()
    await page.evaluate(() => app.add("a"))
    await page.evaluate(() => app.add("b"))
    await load(page)
    await start(page, "new", sockets.url)
    expect(await page.evaluate(() => app.status())).toMatchObject({ pendingWrites: 2, pendingCounted: true })
    line.leads = true
    await expect.poll(() => page.evaluate(() => app.status())).toMatchObject({ pendingWrites: 0, cursor: 2 })
  })
})
