import { bundle, chromiumMissing, launchChromium, servePage } from "@eventlog-server/testkit/browser"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { journalCases } from "./journalCases.ts"
import type { OpenJournal, Tools } from "./page.ts"

declare const tools: Tools
declare let journal: OpenJournal

const kinds = ["effect's", "ours"] as const

it("has a browser to test with", ({ skip }) => {
  if (chromiumMissing === undefined) return
  if (process.env.CI === "true") throw new Error(chromiumMissing)
  skip(chromiumMissing)
})

describe.skipIf(chromiumMissing !== undefined)("a journal in Chromium", () => {
  let browser: Browser
  let server: Awaited<ReturnType<typeof servePage>>
  let context: BrowserContext
  let page: Page

  beforeAll(async () => {
    server = await servePage(await bundle(new URL("page.ts", import.meta.url)))
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser.close()
    server.close()
  })
  beforeEach(async () => {
    context = await browser.newContext()
    page = await openPage()
  })
  afterEach(() => context.close())

  const openPage = async () => {
    const opened = await context.newPage()
    await opened.goto(server.url)
    await opened.waitForFunction(() => "tools" in globalThis)
    return opened
  }
  /** Opens a journal in a page, as its global `journal`. */
  const open = (on: Page, kind: (typeof kinds)[number] = "ours", database = "db") =>
    on.evaluate(
      async ([kind, database]) => {
        Object.assign(globalThis, { journal: await tools.open(kind, database) })
      },
      [kind, database] as const
    )
  const state = (on: Page) => on.evaluate(() => journal.state())

  describe.each(kinds)("%s", (kind) => {
    it.each(journalCases.map(({ name }) => name))("%s", async (name) => {
      expect(await page.evaluate(([kind, name]) => tools.runCase(kind, name), [kind, name] as const)).toBeUndefined()
    })

    it("does what effect's does in memory", async () => {
      for (let seed = 1; seed <= 12; seed++) {
        expect(
          await page.evaluate(([kind, seed]) => tools.compareWithModel(kind, seed), [kind, seed] as const)
        ).toBeUndefined()
      }
    })
  })

  it("holds all it had when the page is loaded again, and says at once what is unsent", async () => {
    await open(page)
    await page.evaluate(async () => {
      await journal.receive(1, 3)
      await journal.write("sent")
      await journal.send()
      await journal.write("unsent")
    })
    const before = await state(page)
    await page.reload()
    await page.waitForFunction(() => "tools" in globalThis)
    await open(page)
    expect(await state(page)).toEqual(before)
    expect(before).toMatchObject({ keys: ["s1", "s2", "s3", "sent", "unsent"], next: 4 })
    expect(await page.evaluate(() => journal.unsent())).toHaveLength(1)
    expect(await page.evaluate(() => journal.backlog())).toBe(1)
    expect(await page.evaluate(() => journal.persisted())).toBeTypeOf("boolean")
  })

  it("takes over what effect's journal has, of its version now", async () => {
    await open(page, "effect's")
    await page.evaluate(async () => {
      await journal.write("sent")
      await journal.receive(1, 2_500)
      await journal.send()
      await journal.write("unsent")
    })
    const before = await state(page)
    await page.evaluate(() => journal.close())
    await open(page)
    expect(await state(page)).toEqual(before)
    expect(await page.evaluate(() => journal.backlog())).toBe(1)
    await page.evaluate(() => journal.write("new"))
    expect(await page.evaluate(() => journal.unsent())).toHaveLength(2)
    await page.evaluate(() => journal.receive(2_501, 1))
    expect((await state(page)).next).toBe(2_502)
  })

  it("takes over what the first version of effect's journal had, and sends again what it can't know to be sent", async () => {
    await page.evaluate(() => tools.makeVersion1("db"))
    await open(page)
    expect(await state(page)).toMatchObject({ keys: ["theirs", "mine"], next: 5 })
    expect(await page.evaluate(() => journal.backlog())).toBe(1)
  })

  it("waits for a tab that has effect's journal open, and lets go of its own for a later version", async () => {
    await open(page, "effect's")
    await page.evaluate(() => journal.write("mine"))
    const second = await openPage()
    const warned = second.waitForEvent("console", (message) => message.text().includes("waits for another tab"))
    const opening = open(second)
    await warned
    await page.evaluate(() => journal.close())
    await opening
    expect((await state(second)).keys).toEqual(["mine"])

    expect(await page.evaluate(() => tools.upgrade("db"))).toBe(true)
    await expect(second.evaluate(() => journal.write("late"))).rejects.toThrow()
    await expect(open(page)).rejects.toThrow()
  })

  it("has all of a write or nothing of it when the tab is killed, and all that was promised", async () => {
    await open(page)
    let writes = 0
    for (let kill = 1; kill <= 5; kill++) {
      const victim = await openPage()
      await open(victim)
      let promised = 0
      await victim.exposeFunction("promise", () => promised++)
      void victim
        .evaluate(async () => {
          while (true) {
            await journal.writeMany(40)
            await (globalThis as unknown as { promise: () => Promise<void> }).promise()
          }
        })
        .catch(() => {})
      await expect.poll(() => promised, { interval: 1 }).toBeGreaterThan(kill)
      const session = await context.newCDPSession(victim)
      const crashed = victim.waitForEvent("crash")
      session.send("Page.crash").catch(() => {})
      await crashed
      // The browser process commits or drops what the tab had under way; then another one may write.
      await page.evaluate(() => journal.write("after"))
      const held = (await state(page)).keys.length
      writes += promised
      expect((held - kill) % 40).toBe(0)
      expect(held - kill).toBeGreaterThanOrEqual(writes * 40)
      expect(await page.evaluate(() => journal.backlog())).toBe(held)
    }
  })

  it("writes nothing when no space is left, and goes on when there is some", async () => {
    const session = await context.newCDPSession(page)
    const { origin } = new URL(server.url)
    // Before the database is opened: Chromium remembers for a while how much space there is.
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 500_000 })
    await open(page)
    await page.evaluate(() => journal.write("before"))
    await expect(page.evaluate(() => journal.receive(1, 10, 300_000))).rejects.toThrow(/Quota/)
    await expect(page.evaluate(() => journal.write("big", 3_000_000))).rejects.toThrow(/Quota/)
    expect(await state(page)).toMatchObject({ keys: ["before"], next: 0 })
    await session.send("Storage.overrideQuotaForOrigin", { origin })
    await expect
      .poll(() => page.evaluate(() => journal.receive(1, 10, 300_000)).then(() => "received", String))
      .toBe("received")
    await page.evaluate(() => journal.write("after"))
    const { keys, next } = await state(page)
    expect([keys.length, next]).toEqual([12, 11])
  })

  it("keeps a quarantine, which other tabs hear of", async () => {
    const second = await openPage()
    const heard = second.evaluate(() => tools.quarantine.changed("quarantine"))
    await page.evaluate(() => tools.quarantine.put("quarantine", "a"))
    await page.evaluate(() => tools.quarantine.put("quarantine", "b"))
    await heard
    const expected = {
      revision: 2,
      again: true,
      keys: ["a", "b"].map((key) => [key, 36, "Undecodable"])
    }
    const read = await second.evaluate(() => tools.quarantine.read("quarantine"))
    expect({ ...read, keys: read.keys?.toSorted() }).toEqual(expected)
    await second.evaluate(() => tools.quarantine.clear("quarantine"))
    expect(await page.evaluate(() => tools.quarantine.read("quarantine"))).toMatchObject({ revision: 3, keys: [] })
  })
})
