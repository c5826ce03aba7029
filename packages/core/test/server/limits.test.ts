import { Wire } from "@eventlog-server/testkit/devices"
import { todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { EventJournal } from "effect/eventlog"
import { Packr } from "msgpackr"
import { describe, expect, it } from "vitest"
import { encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { openDevice, readAll, startServer } from "./host.ts"

const storeId = "store"

describe("limits", () => {
  it("announces them in Hello", async () => {
    const { url } = await startServer({ limits: { maxBatchEntries: 7 } })
    const device = await openDevice(url)
    expect(device.received[0]).toMatchObject({ _tag: "Hello", protocol: 1, limits: { maxBatchEntries: 7 } })
  })

  it.each([
    ["a text frame", "hello", 1007],
    ["a frame that is no message", new Uint8Array([0xc1]), 1007],
    ["a frame above maxFrameBytes", new Uint8Array(2048), 1009]
  ])("closes on %s", async (_, frame, code) => {
    const { url } = await startServer({ limits: { maxFrameBytes: 1024 } })
    const device = await openDevice(url)
    device.socket.send(frame)
    expect(await device.untilClosed()).toMatchObject({ code })
  })

  it("answers a malformed request that names itself, and goes on", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    device.socket.send(
      new Packr({ useRecords: false }).pack({ _tag: "WriteEntries", id: 5, publicKey: "A", entries: "none" })
    )
    await expect(device.next("Error")).resolves.toMatchObject({ id: 5, reason: "Malformed" })
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
  })

  it("refuses a batch, an entry and a name that are too big, and stores nothing of them", async () => {
    const { server, url } = await startServer({
      limits: { maxBatchEntries: 3, maxEntryBytes: 300, maxPrimaryKeyBytes: 20 }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const limit = { _tag: "Error", code: "InvalidRequest", reason: "Limit", retryable: false }
    expect(await device.write("A", todosAdded(4))).toMatchObject(limit)
    expect(await device.write("A", [todoAdded("k".repeat(21))])).toMatchObject(limit)
    await expect(
      server.write({ storeId, event: "TodoAdded", payload: { id: "a", text: "x".repeat(300) } })
    ).rejects.toMatchObject({ reason: "Limit" })
    expect(await readAll(server, storeId)).toEqual([])
  })

  it("closes a peer that sends more than it may have unanswered, where reading can't be paused", async () => {
    const { server } = await startServer({
      limits: { maxInboundFrames: 10 },
      auth: { read: () => {}, write: () => new Promise(() => {}) }
    })
    await server.assign({ publicKey: "A", storeId })
    const wire = new Wire(server, {})
    for (let id = 0; id < 20; id++) wire.write([])
    expect(wire.closes).toMatchObject([{ code: 1008, reason: "Too much is unanswered" }])
  })

  it("doesn't read a peer that sends more than it may have unanswered, reads on later, and loses nothing", async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { server, url } = await startServer({
      limits: { maxInboundFrames: 10 },
      auth: { read: () => {}, write: () => gate }
    })
    await server.assign({ publicKey: "A", storeId })
    const [device, other] = [await openDevice(url), await openDevice(url)]
    // Each as big as what is read from a socket at a time, so that hardly one comes after the reading stopped.
    const payload = new Uint8Array(64 * 1024)
    const writes = Array.from({ length: 50 }, (_, index) =>
      device.write("A", [new EventJournal.Entry({ ...todoAdded(`${index}`), event: "Blob", payload })])
    )
    await expect.poll(async () => (await server.stats()).heldBytes).toBeGreaterThan(4 * payload.length)
    for (let turn = 0; turn < 10; turn++) await other.settled()
    expect((await server.stats()).heldBytes).toBeLessThan(10 * payload.length)
    open()
    const sequences = (await Promise.all(writes)).map((ack) => ack._tag === "Ack" && ack.sequenceNumbers[0])
    expect(sequences).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
  })

  it("closes a peer that sends much before it proved a key", async () => {
    const { url } = await startServer({ sessionAuth: "required" })
    const device = await openDevice(url)
    device.send({ _tag: "WriteEntries", id: 1, publicKey: "A", entries: todosAdded(500) })
    expect(await device.untilClosed()).toMatchObject({ code: 1009 })
  })

  it("bounds subscriptions, keys and connections", async () => {
    const { server, url } = await startServer({
      sessionAuth: "required",
      limits: { maxSubscriptions: 1, maxKeys: 2, maxConnections: 2 }
    })
    for (const publicKey of ["A", "B", "C"]) await server.assign({ publicKey, storeId })
    const device = await openDevice(url)
    await device.prove("A", makeSigningKey())
    await device.prove("B", makeSigningKey())
    device.send(await device.proof("C", makeSigningKey()))
    expect(await device.next("Error")).toMatchObject({ requestTag: "Authenticate", reason: "Limit" })
    expect(await device.subscribe("A")).toMatchObject({ _tag: "Subscribed" })
    expect(await device.subscribe("B")).toMatchObject({ _tag: "Error", reason: "Limit" })
    await openDevice(url)
    const third = openDevice(url)
    await expect(third).rejects.toThrow("1013")
  })

  it("puts chunked messages together and bounds them", async () => {
    const { server, url } = await startServer({ limits: { maxMessageBytes: 2_000_000 } })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.subscribe("A")
    await server.write({ storeId, event: "TodoAdded", payload: { id: "big", text: "x".repeat(1_500_000) } })
    const [big] = await device.untilDelivered("A", 1)
    expect(big!.entry.payload.byteLength).toBeGreaterThan(1_500_000)
    expect(await device.write("A", [{ ...big!.entry, id: todoAdded("x").id } as never])).toMatchObject({
      sequenceNumbers: [2]
    })
    const frame = encodeRequestUnencrypted({
      _tag: "ChunkedMessage",
      id: 1,
      part: [0, 1_000_000],
      data: new Uint8Array(1)
    })
    device.socket.send(frame)
    expect(await device.untilClosed()).toMatchObject({ code: 1009 })
  })
})
