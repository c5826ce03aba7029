import { Effect, Layer } from "effect"
import { EventLog, EventRow } from "effect/eventlog"
import { describe, expect, it, onTestFinished } from "vitest"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  effectCompaction,
  groupCompaction,
  keepLast,
  memoryBackend
} from "../../src/index.ts"
import { Groceries, Grocery, groceryEntry, notedEntry } from "../compaction/rows.ts"
import { host, openDevice } from "./host.ts"

const storeId = "store"
const hour = 60 * 60 * 1000
const hoursAgo = (hours: number) => Date.now() - hours * hour
const olderThan = "1 hour"

type Options = Partial<CreateEventLogServerOptions<typeof Groceries>>

const makeServer = (options: Options) => {
  const server = createEventLogServer({
    schema: EventLog.schema(Groceries),
    handlers: { grocery: () => {} },
    backend: memoryBackend(),
    auth: allowAll,
    sessionAuth: "off",
    ...options
  })
  onTestFinished(() => server.close())
  return server
}

/** What a new device is sent of some entries. */
const sentTo = async (options: Options, entries: ReadonlyArray<ReturnType<typeof groceryEntry>>) => {
  const server = makeServer(options)
  await server.assign({ publicKey: "A", storeId })
  const device = await openDevice(await host(server))
  await device.write("A", entries)
  await device.subscribe("A")
  await device.next("CaughtUp")
  return device.delivered("A").map(({ entry }) => entries.findIndex(({ idString }) => idString === entry.idString))
}

const rows = EventRow.compaction(Groceries, Grocery)

describe("effectCompaction", () => {
  it("keeps the row that patches need, and drops what newer entries shadow", async () => {
    const entries = [
      groceryEntry(Grocery.set({ id: "x", name: "milk", count: 1 }), hoursAgo(9)),
      groceryEntry(Grocery.set({ id: "x", name: "bread", count: 1 }), hoursAgo(8)),
      groceryEntry(Grocery.patch("x", { count: 2 }), hoursAgo(7)),
      groceryEntry(Grocery.patch("x", { count: 3 }), hoursAgo(6))
    ]
    const sent = await sentTo({ compaction: [effectCompaction(rows, { olderThan })] }, entries)
    expect(sent).toEqual([1, 3])
  })

  it("keeps entries that are young", async () => {
    const entries = [1, 2].map((count) => groceryEntry(Grocery.patch("x", { count })))
    expect(await sentTo({ compaction: [effectCompaction(rows, { olderThan })] }, entries)).toEqual([0, 1])
  })

  it("keeps an entry that has a field which the schema doesn't know, and compacts the others", async () => {
    const entries = [
      groceryEntry(Grocery.set({ id: "x", name: "milk", count: 1 }), hoursAgo(9)),
      notedEntry("two, please", hoursAgo(8)),
      groceryEntry(Grocery.patch("x", { count: 2 }), hoursAgo(7)),
      groceryEntry(Grocery.set({ id: "x", name: "milk", count: 3 }), hoursAgo(6))
    ]
    expect(await sentTo({ compaction: [effectCompaction(rows, { olderThan })] }, entries)).toEqual([1, 3])
  })

  it("takes effect's groupCompaction, and keeps everything where that writes an entry of its own", async () => {
    const last = EventLog.groupCompaction(Groceries, ({ entries, forward }) => forward(entries.at(-1)!), {
      remote: true
    })
    const writing = EventLog.groupCompaction(
      Groceries,
      ({ write }) => write("grocery", Grocery.set({ id: "x", name: "all", count: 9 }).payload),
      { remote: true }
    )
    const entries = [2, 1].map((count) => groceryEntry(Grocery.set({ id: "x", name: "milk", count }), hoursAgo(5)))
    expect(await sentTo({ compaction: [effectCompaction(last, { olderThan })] }, entries)).toEqual([1])
    expect(await sentTo({ compaction: [effectCompaction(writing, { olderThan })] }, entries)).toEqual([0, 1])
  })

  it("doesn't start with a compaction that was made for what a device is receiving", async () => {
    const summing = EventLog.groupCompaction(Groceries, ({ entries, forward }) => forward(entries[0]!))
    const server = makeServer({ compaction: [effectCompaction(summing, { olderThan })] })
    await expect(server.ready()).rejects.toThrow(/compaction of grocery was made for what a device is receiving/)
  })

  it("doesn't start with a layer that compacts nothing", async () => {
    const server = makeServer({ compaction: [effectCompaction(Layer.empty, { olderThan })] })
    await expect(server.ready()).rejects.toThrow(/effectCompaction takes what EventRow.compaction or/)
  })
})

describe("a compaction that would be wrong, or ignored,", () => {
  it("keeps the server from starting: keepLast on an event of EventRow", async () => {
    const server = makeServer({ compaction: [groupCompaction(Groceries, { olderThan }, keepLast())] })
    await expect(server.ready()).rejects.toThrow(/"grocery" is an event of EventRow/)
  })

  it("keeps the server from starting: effect's own, among the handlers", async () => {
    const handlers = EventLog.group(Groceries, (group) =>
      group.handle(
        "grocery",
        EventRow.handler(Grocery, { set: () => Effect.void, patch: () => Effect.void, remove: () => Effect.void })
      )
    )
    const server = makeServer({ handlers: Layer.mergeAll(handlers, rows) })
    await expect(server.ready()).rejects.toThrow(/A compaction of grocery is among the handlers/)
    await makeServer({ handlers }).ready()
  })

  it("loses no field that a newer schema added: our own doesn't decode such an entry", async () => {
    const events: Array<unknown> = []
    const rewriting = groupCompaction(Groceries, { olderThan }, (input) => {
      events.push(...input.events)
      return input.write("grocery", input.events.at(-1)!.payload)
    })
    const entries = [
      groceryEntry(Grocery.patch("x", { count: 1 }), hoursAgo(9)),
      notedEntry("two, please", hoursAgo(8))
    ]
    expect(await sentTo({ compaction: [rewriting] }, entries)).toEqual([0, 1])
    expect(events).toEqual([])
  })

  it("keeps the server from starting: effect's own, without effectCompaction", async () => {
    const server = makeServer({ compaction: [rows as never] })
    await expect(server.ready()).rejects.toThrow(/Registry/)
  })
})
