import { RpcPeer, storeId } from "@eventlog-server/testkit/devices"
import { withFeedStore } from "@eventlog-server/testkit/faults"
import { todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Deferred, Effect, Metric } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { FeedAdmin } from "../../../src/backend/index.ts"
import * as metrics from "../../../src/connection/metrics.ts"
import { memoryBackend } from "../../../src/index.ts"
import { openDevice, readAll, startServer } from "../../server/host.ts"

const { WriteEntriesUnencrypted, WriteSingleRpc } = EventLogMessage

const wait = { timeout: 20_000 }
const encodings = () => Number(Effect.runSync(Metric.value(metrics.encodedEntries)).count)
const wrote = { _tag: "Success", value: [] }

/** A server with a key `A`, which a peer proved. */
const makeScene = async (options: Parameters<typeof startServer>[0] = {}) => {
  const { server, url } = await startServer({ sessionAuth: "required", ...options })
  await server.assign({ publicKey: "A", storeId: "store" })
  const key = makeSigningKey()
  const connect = async () => {
    const peer = new RpcPeer(url)
    await peer.opened
    expect(await peer.authenticate(await peer.proof("A", key))).toMatchObject({ _tag: "Success" })
    return peer
  }
  const serverWrites = (id: string, bytes = 1) =>
    server.write({ storeId: "store", event: "TodoAdded", payload: { id, text: "x".repeat(bytes) } })
  return { server, url, key, connect, peer: await connect(), serverWrites }
}

describe("a writer", () => {
  it("has nothing decoded while more than half of what it may hold is being written", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (...args) => Effect.andThen(Deferred.await(gate), store.append(...args))
    }))
    // With what a write of effect's client may be, 221,200 bytes; each write here takes about 56,000.
    const limits = { maxInboundBytes: 70_000, maxRpcMessageBytes: 100_000, maxRpcBatchEntries: 100 }
    const { connect, peer, server } = await makeScene({ backend, limits })
    const writeOf = (key: string) =>
      Effect.runPromise(new WriteEntriesUnencrypted({ publicKey: "A", storeId, entries: todosAdded(100, key) }).encoded)
    const sent = [await writeOf("a"), await writeOf("b"), new Uint8Array(9)]
    const calls = peer.together(() => sent.map((data) => peer.call(WriteSingleRpc as never, { data })))
    const answered: Array<unknown> = []
    for (const call of calls) call.then(({ _tag }) => answered.push(_tag))
    await expect.poll(async () => (await server.stats()).heldBytes, wait).toBeGreaterThan(110_600)
    await connect()
    expect(answered).toEqual([])
    await Effect.runPromise(Deferred.succeed(gate, undefined))
    expect(await Promise.all(calls)).toMatchObject([wrote, wrote, { code: "InvalidRequest" }])
  })
})

describe("a reader", () => {
  it("that acknowledges nothing is sent a bounded part, and the rest when it does", async () => {
    const limits = { outboundHighWaterBytes: 64 * 1024, maxPageBytes: 16 * 1024 }
    const { connect, peer, serverWrites } = await makeScene({ limits })
    for (let index = 0; index < 8; index++) await serverWrites(`${index}`, 40_000)
    peer.changes("A").catch(() => {})
    // Two of 40,000 bytes are more than may be on their way.
    await expect.poll(() => peer.chunks.length, wait).toBe(2)
    await serverWrites("live", 40_000)
    const neighbour = await connect()
    expect(await neighbour.write("A", [todoAdded("neighbour")])).toMatchObject(wrote)
    expect(await peer.write("A", [todoAdded("own")])).toMatchObject(wrote)
    expect(peer.chunks).toHaveLength(2)
    let acknowledged = 0
    const takeAll = () => {
      for (; acknowledged < peer.chunks.length; acknowledged++) peer.acknowledge(peer.chunks[acknowledged]!)
      return acknowledged
    }
    await expect.poll(takeAll, wait).toBeGreaterThanOrEqual(10)
  })
})

describe("an entry", () => {
  it("is encoded once, however many stock clients follow its store", async () => {
    const { connect, serverWrites } = await makeScene()
    const readers = await Promise.all(Array.from({ length: 10 }, connect))
    for (const reader of readers) reader.changes("A").catch(() => {})
    let writes = 0
    /** Entries that were encoded for one write, which every reader has when this answers. */
    const encodedForOne = async () => {
      const before = encodings()
      await serverWrites(`${writes++}`)
      for (const reader of readers) await expect.poll(() => reader.chunks.length, wait).toBe(writes)
      return encodings() - before
    }
    // Those that still catch up read pages of their own.
    await expect.poll(encodedForOne, wait).toBe(1)
    for (let index = 0; index < 5; index++) expect(await encodedForOne()).toBe(1)
  })
})

describe("a key", () => {
  it("that was proved here is bound on the other protocol, and the other way round", async () => {
    const { key, server, peer, url } = await makeScene()
    await server.assign({ publicKey: "B", storeId: "store" })
    const device = await openDevice(url)
    device.send(await device.proof("A", makeSigningKey()))
    expect(await device.next("Error")).toMatchObject({ requestTag: "Authenticate", reason: "BadProof" })
    const ownKey = makeSigningKey()
    const other = await openDevice(url)
    await other.prove("A", key)
    await other.prove("B", ownKey)
    const forged = await peer.proof("B", makeSigningKey())
    expect(await peer.authenticate(forged)).toMatchObject({ code: "Unauthorized" })
    expect(await peer.authenticate(await peer.proof("B", ownKey))).toMatchObject({ _tag: "Success" })
    expect(await peer.write("B", [todoAdded("b")])).toMatchObject(wrote)
  })
})

describe("an operator", () => {
  it("who erases a store ends its streams and what its keys may do", async () => {
    const { peer, server, serverWrites } = await makeScene()
    await serverWrites("a")
    const ended = peer.changes("A")
    await expect.poll(() => peer.chunks.length, wait).toBe(1)
    await server.erase("store")
    expect(await ended).toHaveProperty("code")
    expect(await peer.write("A")).toHaveProperty("code")
  })

  it("who closes the server has accepted writes answered, and closes with 1012", async () => {
    const backend = memoryBackend()
    const { peer, server } = await makeScene({ backend })
    let confirmed = 0
    const writes = Array.from({ length: 20 }, (_, index) =>
      peer.write("A", [todoAdded(`${index}`)]).then(({ _tag }) => {
        if (_tag === "Success") confirmed++
      })
    )
    await Promise.race(writes)
    await server.close()
    expect(await peer.closed).toBe(1012)
    // What came too late was refused, or not read. Everything else was stored, and confirmed before the close.
    expect(confirmed).toBeGreaterThan(0)
    const { server: next } = await startServer({ backend })
    expect(await readAll(next, "store")).toHaveLength(confirmed)
  })

  it("who gives the backend a new id closes those that were greeted with the old one", async () => {
    const backend = memoryBackend()
    const { peer } = await makeScene({ backend, reauthorizeInterval: 20 })
    const rotate = FeedAdmin.use((admin) => Effect.flatMap(admin.id, admin.rotateId))
    await Effect.runPromise(Effect.provide(rotate, backend.layer))
    expect(await peer.closed).toBe(1012)
  })
})
