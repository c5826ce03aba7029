import { todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { describe, expect, it } from "vitest"
import { memoryBackend } from "../../src/index.ts"
import { entryBytes } from "../../src/wire/fields.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"
const sequencesOf = (entries: ReadonlyArray<{ readonly remoteSequence: number }>) =>
  entries.map(({ remoteSequence }) => remoteSequence)

describe("subscribing", () => {
  it("answers with the head, the backlog, CaughtUp, then what is new, its own entries included", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.write("A", todosAdded(3))
    expect(await device.subscribe("A", 2, 7)).toMatchObject({ _tag: "Subscribed", publicKey: "A", id: 7, head: 3 })
    expect(await device.next("CaughtUp")).toMatchObject({ publicKey: "A", id: 7, head: 3 })
    await device.write("A", [todoAdded("new")])
    expect(sequencesOf(await device.untilDelivered("A", 3))).toEqual([2, 3, 4])
    const tags = device.received.map((message) => message._tag)
    expect(tags.indexOf("Subscribed")).toBeLessThan(tags.indexOf("Changes"))
  })

  it("begins at 1 for 0, waits at head + 1, and refuses a cursor beyond it", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.write("A", todosAdded(2))
    expect(await device.subscribe("A", 4)).toMatchObject({
      _tag: "Error",
      requestTag: "RequestChanges",
      code: "InvalidRequest",
      reason: "FeedMismatch"
    })
    expect((await server.stats()).subscriptions).toBe(0)
    await device.subscribe("A", 3)
    await device.write("A", [todoAdded("third")])
    expect(sequencesOf(await device.untilDelivered("A", 1))).toEqual([3])
    await device.subscribe("A", 0)
    expect(sequencesOf(await device.untilDelivered("A", 4)).slice(1)).toEqual([1, 2, 3])
  })

  it.each([
    ["entries", { maxEntries: 4 }],
    ["bytes", { maxBytes: 4 * entryBytes(todoAdded("t0")) }]
  ])("ends by itself with the message that fills what the client has room for, in %s", async (_, portion) => {
    const { server, url } = await startServer({ limits: { maxPageEntries: 3 } })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.write("A", todosAdded(8))
    device.send({ _tag: "RequestChanges", publicKey: "A", startSequence: 2, id: 1, ...portion })
    expect(sequencesOf(await device.untilDelivered("A", 6))).toEqual([2, 3, 4, 5, 6, 7])
    await device.settled()
    expect((await server.stats()).subscriptions).toBe(0)
    device.send({ _tag: "RequestChanges", publicKey: "A", startSequence: 8, id: 2, ...portion })
    await device.untilDelivered("A", 7)
    await device.next("CaughtUp", ({ id }) => id === 2)
    // What is live counts, too, and a portion that begins anew is whole.
    for (const [index, id] of ["t8", "t9", "t10"].entries()) {
      await device.write("A", [todoAdded(id)])
      await device.untilDelivered("A", 8 + index)
    }
    await device.write("A", [todoAdded("t11")])
    await device.settled()
    expect(sequencesOf(await device.untilDelivered("A", 10))).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect((await server.stats()).subscriptions).toBe(0)
  })

  it("replaces the subscription of a key, tells the two apart by their ids, and stops it", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.subscribe("A", 0, 1)
    await device.subscribe("A", 0, 2)
    expect((await server.stats()).subscriptions).toBe(1)
    await device.write("A", [todoAdded("a")])
    await device.untilDelivered("A", 1)
    await device.settled()
    const changes = device.received.filter((message) => message._tag === "Changes")
    expect(changes.map(({ id }) => id)).toEqual([2])
    device.send({ _tag: "StopChanges", publicKey: "A", id: 1 })
    await device.settled()
    expect((await server.stats()).subscriptions).toBe(1)
    device.send({ _tag: "StopChanges", publicKey: "A" })
    await device.settled()
    expect((await server.stats()).subscriptions).toBe(0)
  })

  it("delivers what another node committed", async () => {
    const backend = memoryBackend()
    const [one, two] = [await startServer({ backend }), await startServer({ backend })]
    await one.server.assign({ publicKey: "A", storeId })
    const [writer, reader] = [await openDevice(one.url), await openDevice(two.url)]
    await reader.subscribe("A")
    for (const entry of todosAdded(20)) await writer.write("A", [entry])
    expect(sequencesOf(await reader.untilDelivered("A", 20))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it("serves a reader that stops reading from storage once it reads again", async () => {
    const { server, url } = await startServer({ limits: { outboundHighWaterBytes: 64 * 1024 } })
    await server.assign({ publicKey: "A", storeId })
    const [writer, slow] = [await openDevice(url), await openDevice(url)]
    await slow.subscribe("A")
    slow.socket.pause()
    const payload = "x".repeat(16 * 1024)
    const count = 1_000
    for (let index = 0; index < count; index++) {
      await server.write({ storeId, event: "TodoAdded", payload: { id: String(index), text: payload } })
    }
    await writer.settled()
    slow.socket.resume()
    expect(sequencesOf(await slow.untilDelivered("A", count))).toEqual(
      Array.from({ length: count }, (_, index) => index + 1)
    )
  })
})
