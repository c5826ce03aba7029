import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Device as RawDevice } from "@eventlog-server/testkit/devices"
import { makeEntry } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Schema } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { buildApp } from "../src/app.ts"
import { openDevice } from "../src/device.ts"
import { Groceries, Grocery, type GroceryWrite } from "../src/groceries.ts"

const milk = { id: "milk", name: "Milk", count: 1, bought: false }
const bread = { id: "bread", name: "Bread", count: 1, bought: false }

/** The app on a file of its own, until the test is over. */
const start = async () => {
  const app = await buildApp(join(mkdtempSync(join(tmpdir(), "groceries-")), "groceries.sqlite"))
  onTestFinished(() => app.close())
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const table = async () => (await app.inject("/groceries")).json()
  return { app, url: `${url.replace("http", "ws")}/eventlog`, table }
}

/** A device with this client that is closed when the test is over. */
const open = async (...options: Parameters<typeof openDevice>) => {
  const device = await openDevice(...options)
  onTestFinished(device.close)
  return device
}

/** Devices and table have these rows by now, or soon. */
const untilAllHave = async (
  rows: ReadonlyArray<Grocery>,
  devices: ReadonlyArray<{ readonly rows: ReadonlyMap<string, Grocery> }>,
  table: () => Promise<unknown>
) => {
  const sorted = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  for (const device of devices) {
    await expect.poll(() => [...device.rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(sorted)
  }
  await expect.poll(table).toEqual(sorted.map((row) => ({ ...row, bought: row.bought ? 1 : 0 })))
}

describe("rows on two devices, one with our client and one with effect's own", () => {
  it("are set, patched and removed, there and in the server's table", async () => {
    const { app, table, url } = await start()
    const a = await open(url, "ours")
    const b = await open(url, "effects")
    await Promise.all([a.connect(), b.connect()])
    await a.write(Grocery.set(milk))
    await b.write(Grocery.set(bread))
    await untilAllHave([bread, milk], [a, b], table)
    await b.write(Grocery.patch("milk", { count: 2 }))
    await a.write(Grocery.remove("bread"))
    await untilAllHave([{ ...milk, count: 2 }], [a, b], table)
    expect((await app.inject({ method: "POST", url: "/groceries/milk/bought" })).statusCode).toBe(204)
    await untilAllHave([{ ...milk, count: 2, bought: true }], [a, b], table)
  })

  it("end up the same, whatever was written offline and whoever comes back first", async () => {
    for (const order of [["a", "b"] as const, ["b", "a"] as const]) {
      const { table, url } = await start()
      const devices = { a: await open(url, "ours"), b: await open(url, "effects") }
      const { a, b } = devices
      await Promise.all([a.connect(), b.connect()])
      await a.write(Grocery.set(milk))
      await a.write(Grocery.set(bread))
      await untilAllHave([bread, milk], [a, b], table)
      await Promise.all([a.disconnect(), b.disconnect()])

      // Different fields of one row: both stay. The same field: who wrote later wins. A removal wins over what was before.
      await a.write(Grocery.patch("milk", { name: "Oat milk", count: 3 }))
      await a.write(Grocery.patch("bread", { count: 9 }))
      await b.write(Grocery.patch("milk", { bought: true, count: 4 }))
      await b.write(Grocery.remove("bread"))
      expect([a.rows.get("milk")?.count, b.rows.get("milk")?.count]).toEqual([3, 4])

      for (const name of order) {
        await devices[name].connect()
        await expect.poll(async () => JSON.stringify(await table())).toContain(name === "a" ? "Oat" : '"count":4')
      }
      await untilAllHave([{ id: "milk", name: "Oat milk", count: 4, bought: true }], [a, b], table)
    }
  })
})

const encode = Schema.encodeSync(Groceries.events.grocery!.payloadSchemaBinary)
const day = 24 * 60 * 60 * 1000

/** An entry that a device made so many days ago. */
const daysAgo = (days: number, { payload }: GroceryWrite) =>
  makeEntry({
    event: "grocery",
    primaryKey: Grocery.primaryKey(payload),
    payload: encode(payload),
    msecs: Date.now() - days * day
  })

describe("a new device", () => {
  it.each(["ours", "effects"] as const)(
    "of %s is sent what is left of a year, and has every row whole",
    async (client) => {
      const { table, url } = await start()
      const old = await RawDevice.open(url)
      const counts = Array.from({ length: 100 }, (_, index) =>
        daysAgo(299 - index, Grocery.patch("milk", { count: index }))
      )
      await old.prove("old", makeSigningKey())
      const written = await old.write("old", [
        daysAgo(300, Grocery.set(milk)),
        ...counts,
        daysAgo(200, Grocery.set(bread)),
        daysAgo(100, Grocery.remove("bread")),
        daysAgo(1, Grocery.patch("milk", { bought: true }))
      ])
      expect(written._tag).toBe("Ack")
      const device = await open(url, client)
      await device.connect()
      await untilAllHave([{ ...milk, count: 99, bought: true }], [device], table)
      // The milk as it was set, its last count, that it was bought, and that there is no bread any more.
      await old.subscribe("old")
      await old.next("CaughtUp")
      expect(old.delivered("old")).toHaveLength(4)
      await old.close()
    }
  )
})
