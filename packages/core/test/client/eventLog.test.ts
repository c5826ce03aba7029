import { assert, describe, it } from "@effect/vitest"
import { makeEntries } from "@eventlog-server/testkit/schema"
import { Effect, Random } from "effect"
import { EventJournal } from "effect/eventlog"
import type { Rejection } from "../../src/client/index.ts"
import { type FeedEntry, memoryBackend } from "../../src/index.ts"
import { captureLogs, connectRemote, makeIdentity, storeId, untilStatus } from "./fixtures.ts"
import { type Line, openLine, readFeed, startServer, type TodoServer, type TodoServerOptions } from "./liveServer.ts"
import { type Device, makeDisk, openDevice } from "./todos.ts"

const long = process.env.EVENTLOG_TEST_LONG !== undefined

const start = Effect.fnUntraced(function* (options: TodoServerOptions = {}) {
  const server = yield* startServer(options)
  const line = yield* openLine
  line.lead(server)
  return { server, line }
})

/** Everything written here was sent, and everything that the store held was received. */
const untilSynced = (device: Device) =>
  untilStatus(device.client, ({ caughtUp, pendingWrites }) => caughtUp && pendingWrites === 0)

/** Waits until the app's handlers have seen these. */
const untilTodos = (device: Device, ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() =>
    ids.every((id) => device.disk.todos.has(id))
      ? Effect.void
      : Effect.andThen(Effect.sleep(2), untilTodos(device, ids))
  )

/** Waits until the server has so many entries, and answers them. */
const untilFeed = (server: TodoServer, length: number): Effect.Effect<ReadonlyArray<FeedEntry>> =>
  Effect.flatMap(readFeed(server), (feed) =>
    feed.length >= length ? Effect.succeed(feed) : Effect.andThen(Effect.sleep(2), untilFeed(server, length))
  )

const idsOf = (entries: ReadonlyArray<{ readonly entry: EventJournal.Entry }>) =>
  entries.map(({ entry }) => entry.idString)

describe("effect's EventLog on the client", () => {
  it.live("starts and writes offline, and syncs when there is a server", () =>
    Effect.gen(function* () {
      const line = yield* openLine
      const device = yield* openDevice({ url: line.url })
      yield* device.add("a")
      yield* device.add("b")
      assert.deepStrictEqual([...device.disk.todos.keys()], ["a", "b"])
      yield* untilStatus(device.client, ({ pendingWrites }) => pendingWrites === 2)
      assert.isUndefined(device.client.status().remoteId)

      const server = yield* startServer()
      line.lead(server)
      yield* untilSynced(device)
      const synced = yield* untilStatus(device.client, ({ cursor }) => cursor === 2)
      assert.deepInclude(synced, { connection: "online", lastError: undefined })
      assert.deepStrictEqual(idsOf(yield* readFeed(server)), [...(yield* device.entryIds)])
    })
  )

  it.live("brings 1,500 writes through one connection to a server that takes eight frames ahead", () =>
    Effect.gen(function* () {
      const connections = new Set<string>()
      const auth = {
        read: () => {},
        write: async ({ connection }: { readonly connection: { readonly id: string } | undefined }) => {
          connections.add(connection!.id)
          // Frames come in meanwhile.
          await new Promise(setImmediate)
        }
      }
      const limits = { maxBatchEntries: 1, maxInboundFrames: 8 }
      const { line, server } = yield* start({ auth, limits })
      const remote = yield* connectRemote({ url: line.url })
      const entries = makeEntries(1_500).map((entry) => new EventJournal.Entry({ ...entry, event: "Unknown" }))
      yield* remote.write({ identity: makeIdentity(), storeId, entries })
      assert.lengthOf(yield* readFeed(server), 1_500)
      assert.strictEqual(connections.size, 1)
    })
  )

  it.live("brings two devices and the server's own events together", () =>
    Effect.gen(function* () {
      const { line, server } = yield* start()
      const a = yield* openDevice({ url: line.url })
      const b = yield* openDevice({ url: line.url })
      yield* a.add("from a")
      yield* b.add("from b")
      yield* Effect.promise(() =>
        server.write({ storeId: "family", event: "TodoAdded", payload: { id: "from the server", text: "" } })
      )
      const all = ["from a", "from b", "from the server"]
      yield* untilTodos(a, all)
      yield* untilTodos(b, all)
      assert.strictEqual((yield* readFeed(server)).length, 3)
    })
  )

  it.live("goes on from the journal's cursor when the app starts again", () =>
    Effect.gen(function* () {
      const { line, server } = yield* start()
      const disk = yield* makeDisk
      const first = yield* openDevice({ url: line.url }, disk)
      yield* first.add("before")
      yield* untilFeed(server, 1)
      yield* untilStatus(first.client, ({ cursor }) => cursor === 1)
      yield* first.close
      yield* Effect.promise(() =>
        server.write({ storeId: "family", event: "TodoAdded", payload: { id: "meanwhile", text: "" } })
      )
      const second = yield* openDevice({ url: line.url }, disk)
      yield* untilTodos(second, ["meanwhile"])
      const synced = yield* untilSynced(second)
      assert.strictEqual(synced.cursor, 2)
      assert.strictEqual((yield* readFeed(server)).length, 2)
    })
  )

  it.live("sends what is left when the app is closed", () =>
    Effect.gen(function* () {
      const { line, server } = yield* start()
      const device = yield* openDevice({ url: line.url })
      yield* untilSynced(device)
      yield* device.add("last")
      yield* device.close
      assert.strictEqual((yield* readFeed(server)).length, 1)
      assert.strictEqual(device.client.status().connection, "closed")
    })
  )

  it.live("closes at once without a connection, whatever is left, and has nothing to complain of", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const { line } = yield* start()
      const device = yield* openDevice({ url: line.url })
      yield* untilSynced(device)
      line.lead(undefined)
      line.cut()
      yield* untilStatus(device.client, ({ connection }) => connection !== "online")
      yield* device.add("last")
      yield* device.close
      assert.strictEqual(device.client.status().pendingWrites, 1)
      assert.isEmpty(logged)
    }).pipe(Effect.provide(captureLogs(logged)))
  })

  it.live("closes when the server no longer answers", () =>
    Effect.gen(function* () {
      const { line } = yield* start({ auth: { read: () => {}, write: () => new Promise(() => {}) } })
      const device = yield* openDevice({ url: line.url, closeTimeout: 20 })
      yield* untilStatus(device.client, ({ caughtUp }) => caughtUp)
      yield* device.add("never acked")
      yield* device.close
      assert.strictEqual(device.client.status().pendingWrites, 1)
    })
  )

  it.live("sends a long backlog in batches, however often the connection is cut", () =>
    Effect.gen(function* () {
      const count = long ? 5_000 : 400
      const line = yield* openLine
      const device = yield* openDevice({ url: line.url })
      yield* Effect.forEach(Array(count).keys(), (index) => device.add(`todo-${index}`), { discard: true })
      // Few at a time: an ack of all would leave nothing to cut.
      const server = yield* startServer({ limits: { maxBatchEntries: 10, maxPendingWrites: 2 } })
      line.lead(server)
      for (let cuts = 0; cuts < 4; cuts++) {
        const left = device.client.status().pendingWrites
        if (left === 0) break
        yield* untilStatus(device.client, ({ pendingWrites }) => pendingWrites < left)
        line.cut()
      }
      yield* untilSynced(device)
      const feed = idsOf(yield* readFeed(server))
      assert.strictEqual(feed.length, count)
      assert.deepStrictEqual(feed.toSorted(), [...(yield* device.entryIds)].toSorted())
    })
  )

  it.live("recovers by itself when the server restarts, and offers its whole journal to another one", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const backend = memoryBackend()
      const { line, server } = yield* start({ backend })
      const device = yield* openDevice({ url: line.url })
      yield* device.add("first")
      const before = yield* untilSynced(device)
      yield* Effect.promise(() => server.close())
      yield* untilStatus(device.client, ({ connection }) => connection !== "online")
      const restarted = yield* startServer({ backend })
      line.lead(restarted)
      yield* device.add("second")
      yield* untilFeed(restarted, 2)
      assert.deepStrictEqual(device.client.status().remoteId, before.remoteId)

      const another = yield* startServer()
      line.lead(another)
      line.cut()
      yield* untilStatus(device.client, ({ remoteId }) => remoteId !== before.remoteId)
      assert.deepStrictEqual(idsOf(yield* untilFeed(another, 2)), [...(yield* device.entryIds)])
      assert.include(logged.join(), "The server is another one by now")
    }).pipe(Effect.provide(captureLogs(logged)))
  })

  it.live("says why when its key belongs to no store, and goes on when it does", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const server = yield* startServer({ enroll: undefined })
      const line = yield* openLine
      line.lead(server)
      const device = yield* openDevice({ url: line.url })
      yield* device.add("first")
      const refused = yield* untilStatus(device.client, ({ lastError }) => lastError !== undefined)
      assert.include(refused.lastError?.cause, { _tag: "RemoteRefusal", reason: "NotMapped" })
      assert.strictEqual(refused.lastError?.message, "The public key belongs to no store")
      yield* Effect.promise(() => server.assign({ publicKey: device.disk.identity.publicKey, storeId: "family" }))
      yield* untilFeed(server, 1)
      const synced = yield* untilSynced(device)
      assert.isUndefined(synced.lastError)
      assert.include(logged.join(), "The public key belongs to no store")
    }).pipe(Effect.provide(captureLogs(logged)))
  })

  it.live("is not frozen by an entry that the server never takes", () =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { line, server } = yield* start()
      const device = yield* openDevice({
        url: line.url,
        onRejected: (rejection) => {
          rejections.push(rejection)
        }
      })
      for (const id of ["good", "poi\u0000son", "better"]) yield* device.add(id)
      yield* untilSynced(device)
      yield* device.add("later")
      const feed = yield* untilFeed(server, 3)
      assert.deepStrictEqual(
        feed.map(({ entry }) => entry.primaryKey),
        ["good", "better", "later"]
      )
      assert.deepStrictEqual(
        rejections.map(({ entries, refusal }) => [entries[0]!.primaryKey, refusal.reason]),
        [["poi\u0000son", "BadEntry"]]
      )
    })
  )

  it.live("converges on every device while connections are cut at random", () =>
    Effect.gen(function* () {
      const { line, server } = yield* start({ limits: { maxBatchEntries: 3, maxPageEntries: 4 } })
      const devices = yield* Effect.forEach(Array(3).keys(), () => openDevice({ url: line.url, maxQueuedEntries: 8 }))
      const writes = long ? 400 : 60
      yield* Effect.all(
        [
          Effect.forEach(
            devices,
            (device, name) =>
              Effect.forEach(Array(writes).keys(), (index) => Effect.andThen(device.add(`${name}-${index}`), pause(4))),
            { concurrency: "unbounded" }
          ),
          cutAtRandom(line, long ? 100 : 12)
        ],
        { concurrency: "unbounded" }
      )
      yield* Effect.forEach(devices, (device) => untilTodos(device, allIds(devices.length, writes)))
      yield* Effect.forEach(devices, untilSynced)
      const feed = idsOf(yield* readFeed(server))
      assert.strictEqual(new Set(feed).size, devices.length * writes)
      assert.strictEqual(feed.length, devices.length * writes)
      for (const device of devices) {
        assert.deepStrictEqual([...(yield* device.entryIds)].toSorted(), feed.toSorted())
      }
    })
  )
})

const allIds = (devices: number, writes: number) =>
  Array.from({ length: devices * writes }, (_, n) => `${Math.floor(n / writes)}-${n % writes}`)

const pause = (millis: number) => Effect.flatMap(Random.nextIntBetween(0, millis), (wait) => Effect.sleep(wait))

const cutAtRandom = (line: Line, times: number) =>
  Effect.forEach(Array(times).keys(), () => Effect.andThen(pause(20), Effect.sync(line.cut)))
