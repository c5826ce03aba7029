import { serialization } from "@eventlog-server/testkit/devices"
import { heldBytes } from "@eventlog-server/testkit/heap"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { EventLogMessage } from "effect/eventlog"
import { Packr } from "msgpackr"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { openDevice, startServer } from "../server/host.ts"
import { untilHeld } from "./untilHeld.ts"

const KiB = 1024
const MiB = 1024 * KiB

const packr = new Packr({ useRecords: false })
const rpc = serialization.makeUnsafe()
const call = (id: string | number, tag: string, payload = new Uint8Array(1)) =>
  rpc.encode({ _tag: "Request", id, tag, payload, headers: [] } as never) as Uint8Array
const long = "x".repeat(10 * KiB)

/** Frames of a peer that has proved nothing, never reads, and goes on for as long as it may. */
const floods: ReadonlyArray<readonly [string, string, (index: number) => Uint8Array]> = [
  ["Pings", "", (id) => encodeRequestUnencrypted({ _tag: "Ping", id })],
  ["Pongs", "", (id) => encodeRequestUnencrypted({ _tag: "Pong", id })],
  [
    "malformed requests that name themselves",
    "",
    () => new Uint8Array(packr.pack({ _tag: "WriteEntries", id: 1, publicKey: "k".repeat(500), entries: "none" }))
  ],
  [
    "requests for keys with long names",
    "",
    (id) => encodeRequestUnencrypted({ _tag: "RequestChanges", id, publicKey: long, startSequence: 0 })
  ],
  ["Pings of effect's RPC", "/rpc", () => rpc.encode({ _tag: "Ping" } as never) as Uint8Array],
  ["calls of no known name", "/rpc", (id) => call(id, "Nothing")],
  ["calls with long names", "/rpc", (id) => call(id, long)],
  ["calls with long ids", "/rpc", (id) => call(`${long}${id}`, "EventLog.Hello")],
  ["Hellos", "/rpc", (id) => call(id, "EventLog.Hello")]
]

/**
 * A socket that sends, and never reads. It stops when the server has had enough of it, or takes nothing any more, and stays
 * for as long as it may.
 */
const flood = async (url: string, frameOf: (index: number) => Uint8Array, count: number): Promise<void> => {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  socket.on("error", () => {})
  onTestFinished(() => socket.terminate())
  await new Promise((resolve) => socket.once("open", resolve))
  socket.pause()
  for (let index = 0; index < count && socket.readyState === WebSocket.OPEN; index++) {
    const sent = new Promise<boolean>((resolve) => socket.send(frameOf(index), () => resolve(true)))
    if (!(await Promise.race([sent, new Promise<boolean>((resolve) => setTimeout(resolve, 500, false))]))) return
  }
}

describe("peers that have proved nothing and never read", () => {
  it.each(floods)("hold next to nothing by %s", async (_, path, frameOf) => {
    const { server, url } = await startServer({ sessionAuth: "required", proofTimeout: "1 minute" })
    const device = await openDevice(url)
    const before = await heldBytes()
    await Promise.all(Array.from({ length: 12 }, () => flood(url + path, frameOf, 2_000)))
    // In and out, for each of them, and what the sockets of both sides take.
    await untilHeld(before + 12 * 2 * 64 * KiB + 4 * MiB)
    expect((await server.stats()).heldBytes).toBeLessThan(12 * 2 * 64 * KiB)
    await device.settled()
  })
})

describe("a device that never reads", () => {
  it("is closed when what is queued for it has cost what it may, tiny as each answer is", async () => {
    const { server, url } = await startServer({ limits: { maxOutboundBytes: MiB, maxRequestsPerSecond: 1e6 } })
    await server.assign({ publicKey: "A", storeId: "store" })
    const device = await openDevice(url)
    await flood(url, (id) => encodeRequestUnencrypted({ _tag: "Ping", id }), 50_000)
    expect((await server.stats()).heldBytes).toBeLessThan(2 * MiB)
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
  })
})

it("the names of effect's own calls are short enough", () => {
  const { AuthenticateRpc, ChangesRpc, HelloRpc, WriteChunkedRpc, WriteSingleRpc } = EventLogMessage
  for (const { _tag } of [AuthenticateRpc, ChangesRpc, HelloRpc, WriteChunkedRpc, WriteSingleRpc]) {
    expect(_tag.length).toBeLessThan(64)
  }
})
