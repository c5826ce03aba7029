import { Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { describe, expect, it, vi } from "vitest"
import { groupCompaction, keepLast, memoryBackend, memoryProgress } from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"
const hour = 60 * 60 * 1000

/** An entry that was made so many hours ago. */
const old = (id: string, hours: number) => todoAdded(id, { msecs: Date.now() - hours * hour })
const compaction = [groupCompaction(Todos, { olderThan: "1 hour" }, keepLast())]

/** A server whose store holds `entries`, and what a new device is sent of them. */
const sentTo = async (
  options: Parameters<typeof startServer>[0],
  entries: ReadonlyArray<ReturnType<typeof todoAdded>>,
  from = 0
) => {
  const { server, url } = await startServer(options)
  await server.assign({ publicKey: "A", storeId })
  const device = await openDevice(url)
  await device.write("A", entries)
  await device.subscribe("A", from)
  await device.next("CaughtUp")
  return device.delivered("A")
}
const keysOf = (entries: Awaited<ReturnType<typeof sentTo>>) =>
  entries.map(({ entry, remoteSequence }) => [remoteSequence, entry.primaryKey])

describe("compaction", () => {
  it("read-time compaction only affects old entries in a shared store feed", async () => {
    const { server, url } = await startServer({ compaction })
    for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId })
    const [a, b] = [await openDevice(url), await openDevice(url)]
    await a.write("A", [old("x", 5), old("y", 4), old("x", 3), old("x", 2)])
    await a.write("A", [todoAdded("x"), todoAdded("x")])
    await b.subscribe("B")
    await b.next("CaughtUp")
    expect(keysOf(b.delivered("B"))).toEqual([
      [2, "y"],
      [4, "x"],
      [5, "x"],
      [6, "x"]
    ])
    const stored: Array<number> = []
    for await (const { remoteSequence } of server.read({ storeId, from: 1 })) stored.push(remoteSequence)
    expect(stored).toEqual([1, 2, 3, 4, 5, 6])
  })

  it("compacted outputs preserve cursor progression across public keys mapped to the same store", async () => {
    const { server, url } = await startServer({ compaction })
    for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId })
    const [a, b] = [await openDevice(url), await openDevice(url)]
    await a.write("A", [old("x", 5), old("y", 4), old("x", 3), old("y", 2)])
    await a.subscribe("A", 0)
    await b.subscribe("B", 4)
    await Promise.all([a.next("CaughtUp"), b.next("CaughtUp")])
    expect(keysOf(a.delivered("A"))).toEqual([
      [3, "x"],
      [4, "y"]
    ])
    expect(keysOf(b.delivered("B"))).toEqual([[4, "y"]])
    await a.write("A", [todoAdded("z")])
    expect(keysOf(await b.untilDelivered("B", 2))).toEqual([
      [4, "y"],
      [5, "z"]
    ])
    await a.subscribe("A", 5)
    expect(keysOf(await a.untilDelivered("A", 4)).at(-1)).toEqual([5, "z"])
  })

  it("gives a replacement the same version 8 id on every node and at every time, and keeps the id of what it forwards", async () => {
    const merge = [
      groupCompaction(Todos, { olderThan: "1 hour" }, ({ entries, forward, primaryKey, write }) =>
        Effect.andThen(write("TodoAdded", { id: primaryKey, text: "merged" }), forward(entries[0]!))
      )
    ]
    const backend = memoryBackend()
    const entries = [old("x", 5), old("x", 4)]
    const first = await sentTo({ backend, compaction: merge }, entries)
    const second = await sentTo({ backend, compaction: merge }, [])
    expect(first).toEqual(second)
    const [replacement, forwarded] = first
    expect(forwarded!.entry.idString).toBe(entries[0]!.idString)
    expect(replacement!.entry.id[6]! >> 4).toBe(8)
    expect(replacement!.entry.createdAtMillis).toBe(entries[1]!.createdAtMillis)
    expect(first.map(({ remoteSequence }) => remoteSequence)).toEqual([2, 2])
  })

  it("keeps the id of an input that is written again with the same content", async () => {
    const rewrite = [
      groupCompaction(Todos, { olderThan: "1 hour" }, ({ primaryKey, write }) =>
        write("TodoAdded", { id: primaryKey, text: `todo ${primaryKey}` })
      )
    ]
    const entries = [old("x", 5), old("x", 4)]
    const [only] = await sentTo({ compaction: rewrite }, entries)
    expect(only!.entry.idString).toBe(entries[1]!.idString)
  })

  it.each([
    ["dies", () => Effect.die(new Error("a bug"))],
    ["hangs, whatever interrupts it", () => Effect.uninterruptible(Effect.never)],
    [
      "writes for another primary key",
      ({
        write
      }: {
        readonly write: (tag: "TodoAdded", payload: { id: string; text: string }) => Effect.Effect<void>
      }) => write("TodoAdded", { id: "other", text: "" })
    ]
  ])("sends entries unchanged, and logs it, when a compactor %s", async (_, compactor) => {
    const error = vi.fn()
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error }
    const failing = [groupCompaction(Todos, { olderThan: "1 hour" }, compactor as () => Effect.Effect<void>)]
    const entries = [old("x", 5), old("y", 4), old("x", 3)]
    const sent = await sentTo({ compaction: failing, compactionTimeout: 50, logger }, entries)
    expect(keysOf(sent)).toEqual([
      [2, "y"],
      [3, "x"],
      [3, "x"]
    ])
    expect(error.mock.calls.map(([, message]) => message)).toContain(
      "A compactor failed; its entries are sent unchanged"
    )
  })

  it("sends a bucket that holds an entry which can't be decoded as it is", async () => {
    const error = vi.fn()
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error }
    const broken = { ...old("x", 4), payload: Uint8Array.of(1, 2, 3) }
    const sent = await sentTo({ compaction, logger }, [old("x", 5), broken as never, old("y", 3), old("y", 2)])
    expect(keysOf(sent)).toEqual([
      [2, "x"],
      [2, "x"],
      [4, "y"]
    ])
  })

  it("sends a bucket that stays too big to hold as it is, in several messages", async () => {
    const keepAll = [
      groupCompaction(Todos, { olderThan: "1 hour" }, ({ entries, forward }) =>
        Effect.forEach(entries, forward, { discard: true })
      )
    ]
    const entries = Array.from({ length: 7 }, (_, index) => old("x", 9 - index))
    const limits = { maxBucketEntries: 3, maxPageEntries: 2 }
    const sent = await sentTo({ compaction: keepAll, limits }, entries)
    expect(sent.map(({ entry }) => entry.idString)).toEqual(entries.map((entry) => entry.idString))
    expect(keysOf(sent).map(([sequence]) => sequence)).toEqual([6, 6, 6, 6, 6, 6, 7])
  })

  it("compacts a bucket that is too big to hold in steps", async () => {
    const entries = Array.from({ length: 7 }, (_, index) => old("x", 9 - index))
    const sent = await sentTo({ compaction, limits: { maxBucketEntries: 3, maxPageEntries: 2 } }, entries)
    expect(sent.map(({ entry }) => entry.idString)).toEqual([entries[6]!.idString])
  })

  it("keeps groups and cut-offs in force when a deploy has no compactors", async () => {
    const backend = memoryBackend()
    const entries = [old("x", 5), old("y", 4), old("x", 3)]
    expect(keysOf(await sentTo({ backend, compaction }, entries))).toEqual([
      [2, "y"],
      [3, "x"]
    ])
    expect(keysOf(await sentTo({ backend }, [], 3))).toEqual([
      [3, "x"],
      [3, "x"]
    ])
  })

  it("leaves the cut-offs in the backend when progress is kept elsewhere", async () => {
    const backend = memoryBackend()
    await sentTo({ backend, compaction, progress: memoryProgress }, [old("x", 5), old("x", 3)])
    expect(keysOf(await sentTo({ backend }, [], 2))).toEqual([
      [2, "x"],
      [2, "x"]
    ])
  })

  it("sends a device that begins everything as it is when a deploy has no compactors", async () => {
    const backend = memoryBackend()
    const entries = [old("x", 5), old("y", 4), old("x", 3)]
    await sentTo({ backend, compaction }, entries)
    expect(keysOf(await sentTo({ backend }, []))).toEqual([
      [1, "x"],
      [2, "y"],
      [3, "x"]
    ])
  })
})
