import { Device } from "@eventlog-server/testkit/devices"
import { withFeedAdmin } from "@eventlog-server/testkit/faults"
import { heldBytes } from "@eventlog-server/testkit/heap"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { memoryBackend } from "../../src/index.ts"
import { encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { defaultLimits } from "../../src/wire/limits.ts"
import { openDevice, readAll, startServer } from "../server/host.ts"
import { untilHeld } from "./untilHeld.ts"

const long = process.env.EVENTLOG_TEST_LONG !== undefined
const KiB = 1024
const MiB = 1024 * KiB

const chunk = (id: number, part: readonly [number, number], data: Uint8Array) =>
  encodeRequestUnencrypted({ _tag: "ChunkedMessage", id, part, data })

const { maxChunkedMessages, maxMessageBytes } = defaultLimits

/** Frames that make a message in parts, and how the connection must end. */
const bombs: ReadonlyArray<readonly [string, number, () => Iterable<Uint8Array>]> = [
  [
    "messages that are begun and never finished",
    1008,
    function* () {
      for (let id = 0; id <= maxChunkedMessages; id++) yield chunk(id, [0, 2], new Uint8Array(500_000))
    }
  ],
  ["a total beyond reason", 1009, () => [chunk(1, [0, 2 ** 53 - 1], new Uint8Array(1))]],
  [
    "more parts than a message has kilobytes",
    1009,
    () => [chunk(1, [0, maxMessageBytes / KiB + 1], new Uint8Array(1))]
  ],
  [
    "parts that grow beyond a message",
    1009,
    function* () {
      for (let index = 0; index < 40; index++) yield chunk(1, [index, 100], new Uint8Array(500_000))
    }
  ],
  [
    "empty parts",
    1008,
    function* () {
      for (let index = 0; index < 100; index++) yield chunk(1, [index, 1_000], new Uint8Array(0))
    }
  ],
  ["the same part again", 1008, () => [0, 0].map((index) => chunk(1, [index, 2], new Uint8Array(9)))],
  ["an index beyond the total", 1008, () => [chunk(1, [2, 2], new Uint8Array(9))]],
  ["a chunk in a chunk", 1008, () => [chunk(1, [0, 1], chunk(2, [0, 1], new Uint8Array(1)))]]
]

describe("chunks", () => {
  it.each(bombs)("of %s end their connection and nothing else", async (_, code, frames) => {
    const { server, url } = await startServer()
    for (const publicKey of ["A", "H"]) await server.assign({ publicKey, storeId: publicKey })
    const [bomber, healthy] = [await openDevice(url), await openDevice(url)]
    for (const frame of frames()) bomber.socket.send(frame)
    expect(await bomber.untilClosed()).toMatchObject({ code })
    expect(await healthy.write("H", [todoAdded("h")])).toMatchObject({ sequenceNumbers: [1] })
    expect(await readAll(server, "A")).toEqual([])
    expect(await server.stats()).toMatchObject({ connections: 1 })
  })

  it("in the smallest parts that are allowed are held in bounds, and let go with their connection", async () => {
    const { url } = await startServer({ limits: { maxMessageBytes: 4 * MiB } })
    const before = await heldBytes()
    const device = await openDevice(url)
    for (let id = 0; id < maxChunkedMessages; id++) {
      for (let index = 0; index < 4 * KiB - 1; index++)
        device.socket.send(chunk(id, [index, 4 * KiB], new Uint8Array(1)))
      await device.settled()
    }
    const held = (await heldBytes()) - before
    // 16,380 parts of one byte, at most this much for each.
    expect(held).toBeLessThan(maxChunkedMessages * 4 * KiB * 512)
    await device.close()
    await untilHeld(before + 2 * MiB)
  })
})

it("10,000 frames before Hello are not read beyond the bound, and are handled when the server is there", async () => {
  let isOpen = false
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = () => {
      isOpen = true
      resolve()
    }
  })
  const backend = withFeedAdmin(memoryBackend(), (admin) => ({
    id: Effect.suspend(() =>
      isOpen
        ? admin.id
        : Effect.andThen(
            Effect.promise(() => opened),
            admin.id
          )
    )
  }))
  const { server, url } = await startServer({ backend, limits: { maxRequestsPerSecond: 100_000 } })
  await server.assign({ publicKey: "A", storeId: "store" })
  const early = new Device(url)
  await new Promise((resolve) => early.socket.once("open", resolve))
  for (let id = 0; id < 10_000; id++)
    early.send({ _tag: "WriteEntries", id, publicKey: "A", entries: [todoAdded("x")] })
  await expect.poll(async () => (await server.stats()).heldBytes).toBeGreaterThan(100 * KiB)
  await heldBytes()
  // Half of the frames that may wait, and what was read from the socket with them.
  expect((await server.stats()).heldBytes).toBeLessThan(MiB)
  open()
  await expect.poll(() => early.received.filter(({ _tag }) => _tag === "Ack")).toHaveLength(10_000)
  expect(await readAll(server, "store")).toHaveLength(10_000)
})

it("a reader that stops reading is not buffered for: its bytes stay in the store until it reads again", async () => {
  const total = (long ? 100 : 20) * MiB
  const entryBytes = 64 * KiB
  const count = total / entryBytes

  const { server, url } = await startServer()
  for (const publicKey of ["A", "W"]) await server.assign({ publicKey, storeId: "store" })
  const [reader, writer] = [await openDevice(url), await openDevice(url)]
  await reader.subscribe("A")
  reader.socket.pause()
  const before = await heldBytes()
  const payload = new Uint8Array(entryBytes)
  for (let written = 0; written < count; written += 8) {
    const entries = Array.from(
      { length: 8 },
      () => ({ ...todoAdded("x"), event: "Blob", payload }) as EventJournal.Entry
    )
    expect(await writer.write("W", entries)).toMatchObject({ _tag: "Ack" })
  }
  const stored = (await heldBytes()) - before
  // The memory backend keeps one copy. Everything else the reader may cost: what is queued to it, and the recent pages.
  const extra = stored - total
  expect(extra).toBeLessThan(8 * MiB)
  expect(reader.delivered("A").length).toBeLessThan(count)
  reader.socket.resume()
  await reader.untilDelivered("A", count)
  expect(reader.delivered("A").map(({ remoteSequence }) => remoteSequence)).toEqual(
    Array.from({ length: count }, (_, index) => index + 1)
  )
  ;(reader.received as Array<unknown>).length = 0
  await reader.close()
  await untilHeld(before + total + 4 * MiB)
  await server.erase("store")
  await untilHeld(before + 6 * MiB)
})

it.each([
  ["years behind", -10 * 365 * 24 * 60 * 60 * 1000, "Ack"],
  ["at the beginning of time", Number.NEGATIVE_INFINITY, "Ack"],
  ["a day behind", -24 * 60 * 60 * 1000, "Ack"],
  ["a little less than the allowed skew ahead", defaultLimits.maxClockSkewMillis - 60_000, "Ack"],
  ["more than the allowed skew ahead", defaultLimits.maxClockSkewMillis + 60_000, "Error"],
  ["years ahead", 10 * 365 * 24 * 60 * 60 * 1000, "Error"],
  ["at the end of time", Number.POSITIVE_INFINITY, "Error"]
])("a client whose clock is %s", async (_, skew, answer) => {
  const { server, url } = await startServer()
  await server.assign({ publicKey: "A", storeId: "store" })
  const device = await openDevice(url)
  const msecs = Math.min(2 ** 48 - 1, Math.max(0, Date.now() + skew))
  const written = await device.write("A", [todoAdded("right"), todoAdded("skewed", { msecs })])
  if (answer === "Ack") expect(written).toMatchObject({ sequenceNumbers: [1, 2] })
  else expect(written).toMatchObject({ reason: "ClockSkew", retryable: true, entryIds: [expect.anything()] })
  expect(await readAll(server, "store")).toHaveLength(answer === "Ack" ? 2 : 0)
  const next = answer === "Ack" ? 3 : 1
  expect(await device.write("A", [todoAdded("b")])).toMatchObject({ sequenceNumbers: [next] })
  await device.subscribe("A")
  await device.untilDelivered("A", next)
  await server.processed({ storeId: "store", sequence: next })
})
