import { RpcPeer, serialization, storeId } from "@eventlog-server/testkit/devices"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { openDevice, readAll, startServer } from "../../server/host.ts"
import { framed, unsigned } from "./mutated.ts"

const { ChangesRpc, HelloRpc, WriteSingleRpc } = EventLogMessage

/** A server with the keys `A`, which the attacker proved, and `B`, which is somebody else's. */
const makeScene = async (limits = {}) => {
  const { server, url } = await startServer({ sessionAuth: "required", limits })
  for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId: `store of ${publicKey}` })
  const owner = await openDevice(url)
  const [key, ownerKey] = [makeSigningKey(), makeSigningKey()]
  await owner.prove("B", ownerKey)
  const attacker = new RpcPeer(url)
  await attacker.opened
  expect(await attacker.authenticate(await attacker.proof("A", key))).toMatchObject({ _tag: "Success" })
  const unharmed = async () => {
    expect(await readAll(server, "store of B")).toEqual([])
    expect(await owner.write("B", [todoAdded("mine")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
  }
  return { server, url, attacker, key, ownerKey, unharmed }
}

describe("a key that was not proved on this connection", () => {
  it("is refused on every call", async () => {
    const { attacker, unharmed } = await makeScene()
    expect(await attacker.write("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.writeInParts("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.changes("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.write("A")).toMatchObject({ _tag: "Success", value: [] })
    await unharmed()
  })

  it("is refused before anything was proved, and nothing is joined", async () => {
    const { unharmed, url } = await makeScene()
    const stranger = new RpcPeer(url)
    await stranger.opened
    expect(await stranger.write("B")).toMatchObject({ code: "Forbidden" })
    expect(await stranger.part(1, [0, 2], new Uint8Array(400_000))).toMatchObject({ code: "Forbidden" })
    expect(await stranger.changes("B")).toMatchObject({ code: "Forbidden" })
    await unharmed()
  })

  it("is not proved by another signing key, a replayed signature or a wrong one, and stays bound", async () => {
    const { attacker, key, ownerKey, server, unharmed } = await makeScene()
    expect(await attacker.authenticate(await attacker.proof("B", key))).toMatchObject({ code: "Unauthorized" })
    const proof = await attacker.proof("A", key)
    expect(await attacker.authenticate({ ...proof, publicKey: "B" })).toMatchObject({ code: "Unauthorized" })
    expect(await attacker.authenticate(proof)).toMatchObject({ code: "Forbidden" })
    const forged = { ...(await attacker.proof("B", key)), signingPublicKey: ownerKey.signingPublicKey }
    expect(await attacker.authenticate(forged)).toMatchObject({ code: "Unauthorized" })
    const bound = (await server.keys()).find(({ publicKey }) => publicKey === "B")
    expect(bound?.signingPublicKey).toEqual(ownerKey.signingPublicKey)
    await unharmed()
  })

  it("closes a peer that goes on guessing, after five proofs", async () => {
    const { attacker, unharmed } = await makeScene()
    for (let guess = 0; guess < 4; guess++) {
      const proof = await attacker.proof("B", makeSigningKey())
      expect(await attacker.authenticate(proof)).toMatchObject({ code: "Unauthorized" })
    }
    const last = await attacker.proof("B", makeSigningKey())
    expect(await attacker.authenticate(last)).toMatchObject({ code: "Unauthorized" })
    expect(await attacker.closedWith).toEqual([1008, "Too many proofs failed"])
    await unharmed()
  })
})

describe("frames and chunks", () => {
  const ping = serialization.makeUnsafe().encode({ _tag: "Ping" }) as Uint8Array
  it.each([
    ["noise", 1007, () => [Uint8Array.from({ length: 64 }, (_, index) => index * 7)]],
    ["a message that is cut off", 1007, () => [ping.subarray(0, ping.length - 1)]],
    ["a length without an end", 1007, () => [new Uint8Array(8).fill(0xff)]],
    ["a length beyond the frame", 1007, () => [Uint8Array.of(0xff, 0xff, 0x7f, 1)]],
    ["hundreds of messages in one frame", 1007, () => [Buffer.concat(Array(200).fill(ping))]],
    ["a text frame", 1007, () => ["text"]],
    ["a frame that is too big", 1009, () => [new Uint8Array(1024 * 1024 + 1)]]
  ] as const)("of %s close their connection with %i, and nothing else", async (_, code, frames) => {
    const { attacker, unharmed } = await makeScene()
    for (const frame of frames()) attacker.socket.send(frame)
    expect(await attacker.closed).toBe(code)
    await unharmed()
  })

  it("of a flood of pings are answered at their rate", async () => {
    const { attacker, unharmed } = await makeScene({ maxRequestsPerSecond: 1_000 })
    for (let count = 0; count < 3_000; count++) attacker.socket.send(ping)
    await expect.poll(() => attacker.pongs).toBe(3_000)
    await unharmed()
  })

  it.each([
    ["too many that are begun", 1008, [0, 1, 2, 3, 4].map((id) => [id, 0, 2] as const)],
    ["more parts than a message can have", 1009, [[1, 0, 2 ** 40]]],
    [
      "the same part again",
      1008,
      [
        [1, 0, 2],
        [1, 0, 2]
      ]
    ],
    [
      "totals that differ",
      1008,
      [
        [1, 0, 2],
        [1, 1, 3]
      ]
    ]
  ] as const)("in chunks: %s", async (_, code, parts) => {
    const { attacker, unharmed } = await makeScene()
    for (const [id, index, total] of parts) {
      attacker.part(id, [index, total], new Uint8Array(9)).catch(() => {})
    }
    expect(await attacker.closed).toBe(code)
    await unharmed()
  })

  it("that grow beyond a message end the connection", async () => {
    const { attacker, unharmed } = await makeScene({ maxRpcMessageBytes: 1_000_000 })
    for (let index = 0; index < 4; index++) attacker.part(1, [index, 4], new Uint8Array(400_000)).catch(() => {})
    expect(await attacker.closed).toBe(1009)
    await unharmed()
  })

  it("refuses a part whose number has a million digits, without a look at them", async () => {
    const { attacker, unharmed, url } = await makeScene()
    const stranger = new RpcPeer(url)
    await stranger.opened
    // The field `id`, a whole number.
    const payload = framed([0x20, ...unsigned(0x37386ae0 * 8 + 1), ...new Array<number>(1_000_000).fill(0xff), 1])
    const sent = { _tag: "Request", id: 99, tag: "EventLog.WriteChunked", payload, headers: [] }
    expect(await attacker.answer(sent)).toMatchObject({ code: "InvalidRequest" })
    expect(await stranger.answer(sent)).toMatchObject({ code: "Forbidden" })
    await unharmed()
  })

  it("gives the bytes of every refused write back", async () => {
    const { attacker, unharmed } = await makeScene({ maxInboundBytes: 1_000_000, maxRpcMessageBytes: 1_000_000 })
    for (let index = 0; index < 9; index++) {
      const data = new Uint8Array(500_000)
      expect(await attacker.call(WriteSingleRpc as never, { data })).toMatchObject({ code: "InvalidRequest" })
    }
    await unharmed()
  })

  it("refuses entries that can't be decoded or stored, and a call of no known name", async () => {
    const { attacker, unharmed } = await makeScene()
    expect(await attacker.call(WriteSingleRpc as never, { data: Uint8Array.of(9, 9, 9) })).toMatchObject({
      code: "InvalidRequest"
    })
    const bad = new EventJournal.Entry({ ...todoAdded("x"), id: new Uint8Array(16) as never }, { disableChecks: true })
    expect(await attacker.write("A", [bad])).toMatchObject({ code: "InvalidRequest" })
    expect(await attacker.call({ ...HelloRpc, _tag: "EventLog.None" } as never).catch(() => "refused")).toBeDefined()
    expect(await attacker.write("A", [todoAdded("good")])).toMatchObject({ _tag: "Success" })
    await unharmed()
  })

  it("closes a peer that uses an id twice", async () => {
    const { attacker, unharmed } = await makeScene()
    attacker.changes("A").catch(() => {})
    attacker.call(ChangesRpc as never, { publicKey: "A", storeId, startSequence: 0 }, 1_000).catch(() => {})
    attacker.call(ChangesRpc as never, { publicKey: "A", storeId, startSequence: 0 }, 1_000).catch(() => {})
    expect(await attacker.closed).toBe(1008)
    await unharmed()
  })
})
