import { Wire } from "@eventlog-server/testkit/devices"
import { withFeedStore } from "@eventlog-server/testkit/faults"
import { schema, type Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Deferred, Effect, Layer } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import {
  allowAll,
  type Backend,
  type CreateEventLogServerOptions,
  createEventLogServer,
  memoryBackend,
  memoryProgress,
  StorageError
} from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"

const makeServer = (options: Partial<CreateEventLogServerOptions<typeof Todos>> = {}) => {
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: () => {}, TodoToggled: () => {} },
    backend: memoryBackend(),
    auth: allowAll,
    sessionAuth: "off",
    ...options
  })
  onTestFinished(() => server.close())
  return server
}

/** A backend that does something before it opens. */
const after = (opening: Effect.Effect<void>): Backend => ({
  layer: Layer.unwrap(Effect.as(opening, memoryBackend().layer))
})

/** A backend that opens when the test says so. */
const makeGated = () => {
  const gate = Deferred.makeUnsafe<void>()
  return { backend: after(Deferred.await(gate)), open: () => Effect.runSync(Deferred.succeed(gate, undefined)) }
}

/** What nobody handled while the test ran. */
const watchRejections = () => {
  const unhandled: Array<unknown> = []
  const watcher = (reason: unknown) => unhandled.push(reason)
  process.on("unhandledRejection", watcher)
  onTestFinished(() => void process.off("unhandledRejection", watcher))
  return unhandled
}

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve))

describe("a server whose backend can't be opened", () => {
  it("refuses connections with 1013, early and late, rejects every call, and closes", async () => {
    const unhandled = watchRejections()
    const away = new StorageError({ operation: "open", retryable: false, cause: "no such host" })
    const server = makeServer({ backend: after(Effect.die(away)) })
    const early = new Wire(server, {})
    await expect(server.ready()).rejects.toBe(away)
    const late = new Wire(server, {})
    for (const wire of [early, late]) {
      expect(wire.closes).toEqual([{ code: 1013, reason: "The storage is unavailable" }])
      wire.write([todoAdded("a")])
      expect(wire.received).toEqual([])
    }
    await expect(server.stats()).rejects.toBe(away)
    await expect(server.read({ storeId, from: 1 })[Symbol.asyncIterator]().next()).rejects.toBe(away)
    await server.close()
    await turnOfTheLoop()
    expect(unhandled).toEqual([])
  })
})

describe("a server whose backend opens slowly", () => {
  it("keeps what comes meanwhile, and handles it in order", async () => {
    const { backend, open } = makeGated()
    const server = makeServer({ backend })
    const assigned = server.assign({ publicKey: "A", storeId })
    const wire = new Wire(server, {})
    wire.write([])
    wire.frame("text")
    expect([wire.received.length, wire.closes.length]).toEqual([0, 0])
    open()
    await assigned
    await Effect.runPromise(wire.until(() => wire.closes[0]))
    expect(wire.closes).toMatchObject([{ code: 1007 }])
    expect(wire.received.map(({ _tag }) => _tag)).toEqual(["Hello", "Ack"])
  })

  it("bounds what comes meanwhile", () => {
    const { backend } = makeGated()
    const server = makeServer({
      backend,
      limits: { maxUnprovedBytes: 100, maxUnprovedFrames: 5, maxUnprovedConnections: 3 }
    })
    const [big, many] = [new Wire(server, {}), new Wire(server, {})]
    big.frame(new Uint8Array(60))
    big.frame(new Uint8Array(41))
    expect(big.closes).toMatchObject([{ code: 1008 }])
    for (let count = 0; count < 6; count++) many.frame(new Uint8Array(1))
    expect(many.closes).toMatchObject([{ code: 1008 }])
    const waiting = Array.from({ length: 3 }, () => new Wire(server, {}))
    expect(new Wire(server, {}).closes).toMatchObject([{ code: 1013, reason: "Too many connections" }])
    // Those that left make room.
    for (const wire of waiting) wire.cut()
    expect(new Wire(server, {}).closes).toEqual([])
  })

  it("does not begin a connection that left", async () => {
    const { backend, open } = makeGated()
    const server = makeServer({ backend })
    const wire = new Wire(server, {})
    wire.cut()
    open()
    await server.ready()
    expect(wire.received).toEqual([])
    expect(await server.stats()).toMatchObject({ connections: 0 })
  })

  it("closes before it opened: connections get 1012, calls reject", async () => {
    const unhandled = watchRejections()
    const server = makeServer({ backend: after(Effect.never) })
    const [wire, ready] = [new Wire(server, {}), server.ready()]
    ready.catch(() => {})
    await server.close()
    await expect(ready).rejects.toThrow()
    expect(wire.closes).toEqual([{ code: 1012, reason: "The server restarts" }])
    expect(new Wire(server, {}).closes).toMatchObject([{ code: 1012 }])
    await turnOfTheLoop()
    expect(unhandled).toEqual([])
  })
})

describe("a server that closes", () => {
  it("finishes its own writes, and refuses later ones", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (...args) => Effect.andThen(Deferred.await(gate), store.append(...args))
    }))
    const server = makeServer({ backend })
    await server.ready()
    const payload = { id: "a", text: "" }
    const begun = server.write({ storeId, event: "TodoAdded", payload })
    const closing = server.close()
    const shuttingDown = { _tag: "RequestError", reason: "ShuttingDown" }
    await expect(server.write({ storeId, event: "TodoAdded", payload })).rejects.toMatchObject(shuttingDown)
    Effect.runSync(Deferred.succeed(gate, undefined))
    expect(await begun).toEqual({ sequenceNumbers: [1] })
    await closing
    await expect(server.ready()).rejects.toMatchObject(shuttingDown)
    await expect(server.read({ storeId, from: 1 })[Symbol.asyncIterator]().next()).rejects.toMatchObject(shuttingDown)
    expect(new Wire(server, {}).closes).toMatchObject([{ code: 1012 }])
  })

  it("gives up a write that never ends, and tells its writer", async () => {
    const backend = withFeedStore(memoryBackend(), () => ({ append: () => Effect.never }))
    const server = makeServer({ backend, drainTimeout: 10 })
    await server.ready()
    const begun = server.write({ storeId, event: "TodoAdded", payload: { id: "a", text: "" } })
    begun.catch(() => {})
    await server.close()
    await expect(begun).rejects.toThrow()
  })
})

describe("a server that keeps its progress elsewhere", () => {
  it("takes it from there and not from the backend: every node replays every store", async () => {
    const backend = memoryBackend()
    const handled: Array<string> = []
    const start = (name: string, progress?: typeof memoryProgress) =>
      startServer({
        backend,
        ...(progress === undefined ? {} : { progress }),
        handlers: { TodoAdded: ({ payload }) => handled.push(`${name} ${payload.id}`), TodoToggled: () => {} }
      })
    const first = await start("first")
    for (const id of ["a", "b"]) await first.server.write({ storeId, event: "TodoAdded", payload: { id, text: "" } })
    await first.server.processed({ storeId, sequence: 2 })
    const second = await start("second", memoryProgress)
    await second.server.processed({ storeId, sequence: 2 })
    expect(handled).toEqual(["first a", "first b", "second a", "second b"])
    await first.server.close()
    const third = await start("third")
    await third.server.processed({ storeId, sequence: 2 })
    expect(handled).toHaveLength(4)
  })
})

it("hands the principal of a connection to every callback", async () => {
  const seen: Array<unknown> = []
  const { url } = await startServer({
    sessionAuth: "required",
    auth: {
      read: ({ connection }) => void seen.push(["read", connection?.principal]),
      write: ({ connection }) => void seen.push(["write", connection?.principal]),
      identity: ({ connection }) => void seen.push(["identity", connection?.principal])
    },
    enroll: ({ connection }) => {
      seen.push(["enroll", connection?.principal])
      return storeId
    }
  })
  const device = await openDevice(`${url}/?principal=ann`)
  await device.prove("A", makeSigningKey())
  await device.write("A", [todoAdded("a")])
  await device.subscribe("A")
  expect(seen).toEqual(["identity", "enroll", "write", "read"].map((asked) => [asked, "ann"]))
})
