import { schema, Todos } from "@eventlog-server/example-todo/schema"
import { buildExample, killLeftovers, startServer } from "@eventlog-server/example-todo/testing"
import { openApp } from "@eventlog-server/testkit/devices"
import { Effect } from "effect"
import { EventLog } from "effect/eventlog"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { type Acked, expectAcked, follow, makeEntries, writeBatches, writeUntilGone } from "./load.ts"
import { pglite, servers, storages } from "./storages.ts"

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

let script: URL

beforeAll(async () => {
  script = new URL("main.js", await buildExample("server"))
})
afterAll(killLeftovers)

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

describe.each([...storages, pglite])("a server on $name that is killed at any moment", ({ away, flags }) => {
  it.skipIf(away)("has every entry that it acknowledged, in its place", { timeout: 1_800_000 }, async () => {
    const args = [...(await flags()), "--port", "0", "--session-auth", "off", "--map", "key=store"]
    const acked: Acked = new Map()
    for (let round = 0; round < (isLong ? 50 : 5); round++) {
      const server = await startServer(script, args)
      const url = `${server.url}/eventlog`
      const writers = Array.from({ length: 8 }, () => writeUntilGone(url, "key", acked))
      const before = acked.size
      await expect.poll(() => acked.size).toBeGreaterThan(before)
      await sleep(Math.random() * 300)
      await server.stop("SIGKILL")
      await Promise.all(writers)
    }
    const server = await startServer(script, args)
    expectAcked(await follow(`${server.url}/eventlog`, "key"), acked)
    await server.stop()
  })
})

/** A device with the client of this repository, until the test is over. */
const openDevice = async (url: string, handled: (text: string) => void) => {
  const handlers = EventLog.group(Todos, (on) =>
    on
      .handle("TodoAdded", ({ payload }) => Effect.sync(() => handled(payload.text)))
      .handle("TodoRenamed", () => Effect.void)
      .handle("TodoToggled", () => Effect.void)
      .handle("TodoRemoved", () => Effect.void)
  )
  const { publicKey, until, write } = await openApp({ url, schema, handlers })
  return {
    publicKey,
    add: (text: string) => write({ event: "TodoAdded", payload: { id: text, text } }),
    untilSent: () => until(({ pendingWrites }) => pendingWrites === 0)
  }
}

describe.each(servers)("$name that crashes under load", ({ away, flags, open }) => {
  it.skipIf(away)("loses nothing that was acknowledged, and devices recover by themselves", async () => {
    const database = await open()
    onTestFinished(database.remove)
    const server = await startServer(script, [
      ...flags(database.url),
      ...["--port", "0", "--session-auth", "off", "--map", "key=store"]
    ])
    const url = `${server.url}/eventlog`
    const texts: Array<string> = []
    const device = await openDevice(url, (text) => texts.push(text))
    await fetch(`${server.url}/keys/${encodeURIComponent(device.publicKey)}`, {
      method: "PUT",
      body: JSON.stringify({ storeId: "store" })
    })

    let isOver = false
    let batchCount = 0
    const next = () => {
      batchCount++
      return isOver ? undefined : makeEntries(3)
    }
    const writers = Array.from({ length: 4 }, () => writeBatches(url, "key", next))
    for (let crash = 0; crash < (isLong ? 5 : 1); crash++) {
      const before = batchCount
      await expect.poll(() => batchCount).toBeGreaterThan(before + 20)
      await database.process.crash()
      await device.add(`written during crash ${crash}`)
      await database.process.start()
      await device.untilSent()
    }
    const before = batchCount
    await expect.poll(() => batchCount).toBeGreaterThan(before + 20)
    isOver = true
    const acked = new Map((await Promise.all(writers)).flatMap((own) => [...own]))
    const ids = await follow(url, "key")
    expectAcked(ids, acked)
    // The device has received what the others wrote, beside its own.
    await expect.poll(() => texts.filter((text) => text === "Milk").length).toBe(acked.size)
    await server.stop()
  })
})
