import { schema, Todos, todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { Effect, Layer } from "effect"
import { EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { describe, expect, it } from "vitest"
import { EventLogServerUnencrypted, groupReactivity, layer, layerAuthAllowAll, StoreId } from "../../src/effect.ts"
import { memoryBackend, refuse } from "../../src/index.ts"
import { openDevice, readAll, startServer } from "./host.ts"

const storeId = StoreId.make("store")

/** Counts how often handlers ran and keys were invalidated, on a server that is composed from layers. */
const makeObserved = () => {
  const handled: Array<string> = []
  const invalidated: Array<string> = []
  const handlers = EventLog.group(Todos, (handlers) =>
    handlers
      .handle("TodoAdded", ({ payload }) => Effect.sync(() => void handled.push(payload.id)))
      .handle("TodoToggled", () => Effect.void)
  )
  const server = layer(schema, handlers, { sessionAuth: "off" }).pipe(
    Layer.provide([memoryBackend().layer, layerAuthAllowAll])
  )
  const observer = Layer.effectDiscard(
    Effect.gen(function* () {
      const reactivity = yield* Reactivity.Reactivity
      for (const id of ["a", "b", "t0", "t1"]) {
        reactivity.registerUnsafe([`todos:${id}`], () => void invalidated.push(id))
      }
    })
  )
  const app = groupReactivity(Todos, ["todos"]).pipe(
    Layer.provideMerge(server),
    Layer.provideMerge(observer),
    Layer.provideMerge(Reactivity.layer)
  )
  return { app, handled, invalidated }
}

describe("the specification's core tests", () => {
  it("client writes run handlers for the resolved store", async () => {
    const handled: Array<unknown> = []
    const { server, url } = await startServer({
      handlers: {
        TodoAdded: ({ author, payload, storeId }) => handled.push({ author, payload, storeId }),
        TodoToggled: () => {}
      }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
    await server.processed({ storeId, sequence: 1 })
    expect(handled).toEqual([{ author: "A", payload: { id: "a", text: "todo a" }, storeId }])
  })

  it("two public keys mapped to the same store share transport history", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    await server.assign({ publicKey: "B", storeId })
    const [a, b] = [await openDevice(url), await openDevice(url)]
    const entries = todosAdded(3)
    await a.write("A", entries)
    await b.subscribe("B")
    const delivered = await b.untilDelivered("B", 3)
    expect(delivered.map(({ remoteSequence }) => remoteSequence)).toEqual([1, 2, 3])
    expect(delivered.map(({ entry }) => entry.idString)).toEqual(entries.map((entry) => entry.idString))
  })

  it("server-authored writes broadcast to mapped clients", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    await server.assign({ publicKey: "B", storeId })
    const devices = { A: await openDevice(url), B: await openDevice(url) }
    for (const key of ["A", "B"] as const) await devices[key].subscribe(key)
    await server.write({ storeId, event: "TodoAdded", payload: { id: "s", text: "from the server" } })
    for (const key of ["A", "B"] as const) {
      const [first] = await devices[key].untilDelivered(key, 1)
      expect(first).toMatchObject({ remoteSequence: 1, entry: { event: "TodoAdded", primaryKey: "s" } })
    }
  })

  it("server-authored writes bypass auth", async () => {
    let isOpen = false
    const { server, url } = await startServer({
      auth: { read: () => (isOpen ? undefined : refuse()), write: () => refuse() }
    })
    await server.assign({ publicKey: "A", storeId })
    await server.write({ storeId, event: "TodoAdded", payload: { id: "s", text: "" } })
    const device = await openDevice(url)
    expect(await device.subscribe("A")).toMatchObject({ _tag: "Error", code: "Forbidden" })
    isOpen = true
    await device.subscribe("A")
    expect(await device.untilDelivered("A", 1)).toHaveLength(1)
  })

  it("server-authored writes with runHandlers: true run handlers and reactivity", async () => {
    const { app, handled, invalidated } = makeObserved()
    await Effect.gen(function* () {
      const server = yield* EventLogServerUnencrypted
      const written = yield* server.writeToStore({ storeId, entries: [todoAdded("a"), todoAdded("b")] })
      expect(written.sequenceNumbers).toEqual([1, 2])
      yield* server.processed({ storeId, sequence: 2 })
      expect(handled).toEqual(["a", "b"])
      expect(invalidated).toEqual(["a", "b"])
    }).pipe(Effect.provide(app), Effect.runPromise)
  })

  it("server-authored writes with runHandlers: false are transport-only", async () => {
    const { app, handled, invalidated } = makeObserved()
    await Effect.gen(function* () {
      const server = yield* EventLogServerUnencrypted
      yield* server.assign({ publicKey: "A", storeId })
      yield* server.writeToStore({ storeId, entries: [todoAdded("a")], runHandlers: false })
      yield* server.writeToStore({ storeId, entries: [todoAdded("b")] })
      yield* server.processed({ storeId, sequence: 2 })
      expect(handled).toEqual(["b"])
      expect(invalidated).toEqual(["b"])
    }).pipe(Effect.provide(app), Effect.runPromise)
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    await server.write({ storeId, event: "TodoAdded", payload: { id: "s", text: "" }, runHandlers: false })
    const device = await openDevice(url)
    await device.subscribe("A")
    expect(await device.untilDelivered("A", 1)).toHaveLength(1)
  })

  it("unauthorized client write rejects the full batch", async () => {
    const handled: Array<string> = []
    const { server, url } = await startServer({
      auth: {
        read: () => {},
        write: ({ entries }) =>
          entries.some((entry) => entry.primaryKey === "bad") ? refuse("no bad todos") : undefined
      },
      handlers: { TodoAdded: ({ payload }) => handled.push(payload.id), TodoToggled: () => {} }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const answer = await device.write("A", [todoAdded("good"), todoAdded("bad")])
    expect(answer).toMatchObject({
      _tag: "Error",
      requestTag: "WriteEntries",
      code: "Forbidden",
      message: "no bad todos",
      retryable: false
    })
    expect(answer).not.toHaveProperty("entryIds")
    expect(device.received.some((message) => message._tag === "Ack")).toBe(false)
    expect(await readAll(server, storeId)).toEqual([])
    expect(await device.write("A", [todoAdded("good")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
    await server.processed({ storeId, sequence: 1 })
    expect(handled).toEqual(["good"])
  })

  it("a refusal that names its entries tells the device which ones to set aside", async () => {
    const { server, url } = await startServer({
      auth: {
        read: () => {},
        write: ({ entries }) => {
          const bad = entries.filter((entry) => entry.primaryKey === "bad")
          if (bad.length > 0) refuse("no bad todos", { entries: bad })
        }
      }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const [good, bad] = [todoAdded("good"), todoAdded("bad")]
    expect(await device.write("A", [good, bad])).toMatchObject({
      _tag: "Error",
      code: "Forbidden",
      entryIds: [Uint8Array.from(bad.id)]
    })
    expect(await readAll(server, storeId)).toEqual([])
  })

  it("unmapped public key rejects read and write requests", async () => {
    const { url } = await startServer()
    const device = await openDevice(url)
    const notMapped = { _tag: "Error", publicKey: "X", code: "InvalidRequest", reason: "NotMapped", retryable: false }
    expect(await device.write("X", [todoAdded("a")])).toMatchObject({ ...notMapped, requestTag: "WriteEntries" })
    expect(await device.subscribe("X")).toMatchObject({ ...notMapped, requestTag: "RequestChanges" })
  })

  it("duplicate writes are idempotent but still ack every input slot", async () => {
    const { app, handled, invalidated } = makeObserved()
    const entries = todosAdded(2)
    await Effect.gen(function* () {
      const server = yield* EventLogServerUnencrypted
      yield* server.assign({ publicKey: "A", storeId })
      const first = yield* server.ingestClient({ publicKey: "A", entries })
      const second = yield* server.ingestClient({ publicKey: "A", entries: [...entries, entries[0]!] })
      expect(first.sequenceNumbers).toEqual([1, 2])
      expect(second).toMatchObject({ sequenceNumbers: [1, 2, 1], committed: [] })
      yield* server.processed({ storeId, sequence: 2 })
      const last = yield* server.ingestClient({ publicKey: "A", entries: [todoAdded("a")] })
      yield* server.processed({ storeId, sequence: last.sequenceNumbers[0]! })
      expect(handled).toEqual(["t0", "t1", "a"])
      expect(invalidated).toEqual(["t0", "t1", "a"])
    }).pipe(Effect.provide(app), Effect.runPromise)
  })
})
