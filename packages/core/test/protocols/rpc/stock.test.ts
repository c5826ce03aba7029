import { assert, describe, it } from "@effect/vitest"
import { AddedTodos, todoAdded } from "@eventlog-server/testkit/schema"
import { Effect, Queue } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { EventLogServerAuthError, groupCompaction, keepLast, memoryBackend } from "../../../src/index.ts"
import { captureLogs } from "../../client/fixtures.ts"
import { openLine, readFeed, startServer, type TodoServer, type TodoServerOptions } from "../../client/liveServer.ts"
import { makeDisk, openDevice } from "../../client/todos.ts"
import { openStockDevice, openStockRemote, type StockDevice } from "./stockDevice.ts"

const start = Effect.fnUntraced(function* (options: TodoServerOptions = {}) {
  const server = yield* startServer(options)
  const line = yield* openLine
  line.lead(server)
  return { server, line, rpc: `${line.url}/rpc` }
})

const until = <E, R>(look: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(look, (found) => (found ? Effect.void : Effect.andThen(Effect.sleep(5), until(look))))

/** Waits until a device asks for what comes after `sequence`. */
const untilSequence = (device: StockDevice, sequence: number) =>
  until(Effect.map(device.next, (next) => next > sequence))

const serverWrites = (server: TodoServer, id: string) =>
  Effect.promise(() => server.write({ storeId: "family", event: "TodoAdded", payload: { id, text: id } }))

const defaultStore = EventLogMessage.StoreId.make("default")

/** An entry of an hour ago, each a little younger than the one before. */
const old = (id: string, index: number) => todoAdded(id, { msecs: Date.now() - 3_600_000 + index })

const quiet = Effect.provide(captureLogs([]))

describe("effect's own client", () => {
  it.live("has what two of it, one of ours and the server write, once and with the same sequences", () =>
    Effect.gen(function* () {
      const { line, rpc, server } = yield* start()
      const [a, b] = [yield* openStockDevice(rpc), yield* openStockDevice(rpc)]
      const ours = yield* openDevice({ url: line.url })
      yield* Effect.all([a.add("a"), b.add("b"), ours.add("ours"), serverWrites(server, "server")], {
        concurrency: "unbounded"
      })
      yield* until(Effect.sync(() => ours.client.status().cursor === 4))
      yield* Effect.all([untilSequence(a, 4), untilSequence(b, 4)])
      const feed = yield* readFeed(server)
      const ids = feed.map(({ entry }) => entry.idString)
      for (const device of [a, b, ours]) {
        assert.deepStrictEqual([...(yield* device.entryIds)].toSorted(), ids.toSorted())
        assert.deepStrictEqual([...device.disk.todos.keys()].toSorted(), ["a", "b", "ours", "server"])
      }
      const { identity } = yield* makeDisk
      const storeId = EventLogMessage.StoreId.make("family")
      const changes = yield* (yield* openStockRemote(rpc)).changes({ identity, storeId, startSequence: 0 })
      const received = yield* Effect.forEach([1, 2, 3, 4], () => Queue.take(changes))
      assert.deepStrictEqual(
        received.map(({ entry, remoteSequence }) => [remoteSequence, entry.idString]),
        feed.map(({ entry, remoteSequence }) => [remoteSequence, entry.idString])
      )
      const { rejected, subscriptions } = yield* Effect.promise(() => server.stats())
      assert.strictEqual(subscriptions, 4)
      assert.strictEqual(rejected.Unauthorized, 0)
    }).pipe(quiet)
  )

  it.live("goes on after it was offline and the server restarted, with a backlog that travels in chunks", () =>
    Effect.gen(function* () {
      const backend = memoryBackend()
      const { line, rpc, server } = yield* start({ backend })
      const [a, b] = [yield* openStockDevice(rpc), yield* openStockDevice(rpc)]
      yield* a.add("before")
      yield* untilSequence(b, 1)
      yield* Effect.promise(() => server.close())
      line.lead(undefined)
      for (let index = 0; index < 12; index++) yield* a.add(`offline ${index}`, "x".repeat(100_000))
      const again = yield* startServer({ backend, limits: { maxAppendEntries: 5 } })
      yield* serverWrites(again, "meanwhile")
      line.lead(again)
      yield* Effect.all([untilSequence(a, 14), untilSequence(b, 14)])
      assert.deepStrictEqual([...a.disk.todos.keys()].toSorted(), [...b.disk.todos.keys()].toSorted())
      assert.lengthOf(yield* readFeed(again), 14)
    }).pipe(quiet)
  )

  it.live("is sent a compacted bucket in one message, also where it begins at the bucket's last sequence", () =>
    Effect.gen(function* () {
      const { rpc } = yield* start({
        limits: { maxPageEntries: 2 },
        compaction: [
          groupCompaction(AddedTodos, { olderThan: 0 }, ({ entries, forward }) =>
            Effect.forEach(entries, forward, { discard: true })
          )
        ]
      })
      const { identity } = yield* makeDisk
      const remote = yield* openStockRemote(rpc)
      yield* remote.write({
        identity,
        storeId: defaultStore,
        entries: ["same", "same", "same", "same", "same"].map(old)
      })
      const changes = yield* remote.changes({
        identity,
        storeId: EventLogMessage.StoreId.make("default"),
        startSequence: 5
      })
      const received = yield* Effect.forEach([1, 2, 3, 4, 5], () => Queue.take(changes))
      assert.deepStrictEqual(
        received.map(({ remoteSequence }) => remoteSequence),
        [5, 5, 5, 5, 5]
      )
    }).pipe(quiet)
  )

  it.live("gets the last of each key where old history is compacted", () =>
    Effect.gen(function* () {
      const { rpc } = yield* start({ compaction: [groupCompaction(AddedTodos, { olderThan: 0 }, keepLast())] })
      const { identity } = yield* makeDisk
      const remote = yield* openStockRemote(rpc)
      yield* remote.write({ identity, storeId: defaultStore, entries: ["x", "y", "x", "x"].map(old) })
      const device = yield* openStockDevice(rpc)
      yield* untilSequence(device, 4)
      assert.lengthOf(yield* device.entryIds, 2)
      assert.deepStrictEqual([...device.disk.todos.keys()].toSorted(), ["x", "y"])
    }).pipe(quiet)
  )

  it.live("is refused with Unauthorized, once, and stores nothing", () =>
    Effect.gen(function* () {
      let asked = 0
      const write = () => {
        asked++
        throw new EventLogServerAuthError({ reason: "Forbidden", publicKey: "x" })
      }
      const { rpc, server } = yield* start({ auth: { read: () => {}, write } })
      const device = yield* openStockDevice(rpc)
      const { identity, journal } = device.disk
      const storeId = EventLogMessage.StoreId.make("default")
      yield* device.add("refused")
      yield* until(Effect.sync(() => asked > 0))
      const before = asked
      const entries = yield* journal.entries
      const error = yield* Effect.flip(device.remote.write({ identity, storeId, entries }))
      assert.include(error.cause, { _tag: "EventLogProtocolError", code: "Unauthorized" })
      // The runtime may have tried once more meanwhile; five times would be a client that was told to authenticate.
      assert.isAtMost(asked - before, 2)
      assert.lengthOf(yield* readFeed(server), 0)
    }).pipe(quiet)
  )

  it.live("is told NotFound for a store that is not its key's, on reading and writing", () =>
    Effect.gen(function* () {
      const { rpc } = yield* start()
      const device = yield* openStockDevice(rpc)
      const { identity } = device.disk
      const storeId = EventLogMessage.StoreId.make("elsewhere")
      const refused = yield* Effect.flip(device.remote.write({ identity, storeId, entries: [] }))
      assert.include(refused.cause, { code: "NotFound" })
      const changes = yield* device.remote.changes({ identity, storeId, startSequence: 0 })
      assert.include((yield* Effect.flip(Queue.take(changes))).cause, { code: "NotFound" })
    }).pipe(quiet)
  )

  it.live("waits while its key belongs to no store, and binds it for both protocols when it does", () =>
    Effect.gen(function* () {
      const { line, rpc, server } = yield* start({ enroll: undefined })
      const device = yield* openStockDevice(rpc)
      const { identity } = device.disk
      yield* device.add("first")
      const write = device.remote.write({ identity, storeId: EventLogMessage.StoreId.make("default"), entries: [] })
      assert.include((yield* Effect.flip(write)).cause, { code: "NotFound" })
      assert.isEmpty(yield* Effect.promise(() => server.keys()))
      yield* Effect.promise(() => server.assign({ publicKey: identity.publicKey, storeId: "family" }))
      yield* untilSequence(device, 1)
      const [key] = yield* Effect.promise(() => server.keys())
      assert.strictEqual(key?.signingPublicKey?.byteLength, 32)
      yield* device.close
      const ours = yield* openDevice({ url: line.url }, device.disk)
      yield* until(Effect.sync(() => ours.client.status().cursor === 1))
    }).pipe(quiet)
  )

  it.live("loses its stream at once when its key is removed, and is disconnected and comes back", () =>
    Effect.gen(function* () {
      const { line, rpc, server } = yield* start()
      const device = yield* openStockDevice(rpc)
      const { publicKey } = device.disk.identity
      yield* device.add("first")
      yield* untilSequence(device, 1)
      assert.strictEqual(yield* Effect.promise(() => server.disconnect({ publicKey })), 1)
      yield* until(
        Effect.map(
          Effect.promise(() => server.stats()),
          ({ subscriptions }) => subscriptions === 1
        )
      )
      yield* Effect.promise(() => server.remove(publicKey))
      assert.strictEqual((yield* Effect.promise(() => server.stats())).subscriptions, 0)
      yield* serverWrites(server, "secret")
      yield* Effect.promise(() => server.assign({ publicKey, storeId: "family" }))
      yield* untilSequence(device, 2)
      assert.isAbove(line.connections(), 0)
    }).pipe(quiet)
  )
})
