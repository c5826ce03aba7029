import { describe, it } from "@effect/vitest"
import { todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Clock, Deferred, Effect, Fiber, References } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { CurrentConnection } from "../../src/connection/CurrentConnection.ts"
import { encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { makeScene, storeId } from "./harness.ts"

const quietly = Effect.provideService(References.MinimumLogLevel, "None")
const forbidden = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })

describe("a silent peer", () => {
  it.effect("is asked for a sign of life, and given up when none comes", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ pingInterval: "30 seconds", pingTimeout: "10 seconds" })
      const [silent, alive] = [scene.connect(), scene.connect()]
      yield* TestClock.adjust("29 seconds")
      expect(silent.all("Ping")).toHaveLength(0)
      yield* TestClock.adjust("10 seconds")
      expect(silent.all("Ping")).toHaveLength(1)
      alive.request({ _tag: "Pong", id: alive.all("Ping")[0]!.id })
      yield* TestClock.adjust("10 seconds")
      expect(silent.closes).toMatchObject([{ code: 1008 }])
      expect(alive.closes).toEqual([])
      expect(yield* scene.server.stats).toMatchObject({ connections: 1 })
    })
  )

  it.effect("is not given up unasked, however long the server did not look", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let stoodStill = 0
      const now = () => clock.currentTimeMillisUnsafe() + stoodStill
      const scene = yield* makeScene({ pingInterval: "30 seconds", pingTimeout: "10 seconds" }).pipe(
        Effect.provideService(Clock.Clock, Object.assign(Object.create(clock), { currentTimeMillisUnsafe: now }))
      )
      const wire = scene.connect()
      stoodStill = 3_600_000
      yield* TestClock.adjust("10 seconds")
      expect([wire.all("Ping").length, wire.closes.length]).toEqual([1, 0])
    })
  )
})

describe("a peer that doesn't read", () => {
  it.effect("is closed once, and sent nothing after it", () =>
    Effect.gen(function* () {
      let buffered = 0
      const scene = yield* makeScene({ limits: { maxOutboundBytes: 1_000 } })
      const wire = scene.connect({ bufferedBytes: () => buffered })
      yield* wire.answer(wire.subscribe())
      buffered = 1_001
      wire.write([todoAdded("a")])
      wire.write([todoAdded("b")])
      yield* Effect.repeat(Effect.yieldNow, { until: () => wire.closes.length > 0 })
      expect(wire.closes).toMatchObject([{ code: 1008 }])
      expect(wire.late).toBe(0)
      expect(yield* scene.server.stats).toMatchObject({ connections: 0, subscriptions: 0, stores: 0 })
    })
  )

  it.effect("holds one page of a backlog where its transport can't tell, and no more", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ limits: { maxPageEntries: 10, outboundHighWaterBytes: 1_000 } })
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(500) })
      const wire = scene.connect()
      yield* wire.answer(wire.subscribe())
      const first = wire.sequences.length
      expect(first).toBeLessThan(50)
      const isAll = () => wire.sequences.length === 500
      for (let asked = 1; !isAll(); asked++) {
        yield* wire.until(() => (isAll() || wire.all("Ping").length >= asked ? true : undefined))
        const ping = wire.all("Ping")[asked - 1]
        if (ping !== undefined) wire.request({ _tag: "Pong", id: ping.id })
      }
      expect(wire.sequences).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
    })
  )
})

describe("a connection", () => {
  it.effect("is closed, and harms no other, when its transport throws", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [broken, sound] = [scene.connect(), scene.connect()]
      for (const wire of [broken, sound]) yield* wire.answer(wire.subscribe())
      Object.assign(broken, {
        send: () => {
          throw new Error("a bug")
        },
        close: () => {
          throw new Error("another one")
        }
      })
      broken.write([todoAdded("a")])
      yield* scene.server.writeToStore({ storeId, entries: [todoAdded("b")] })
      expect(yield* sound.until(() => (sound.sequences.length === 2 ? sound.sequences : undefined))).toEqual([1, 2])
      expect(yield* scene.server.stats).toMatchObject({ connections: 1, subscriptions: 1 })
    })
  )

  it.effect("is closed with 1011 rather than left without an answer when its handling dies", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({
        // What no typed app can do: an error that the protocol has no row for.
        auth: { authorizeRead: () => Effect.fail({ _tag: "Nonsense" } as never) }
      })
      const wire = scene.connect()
      wire.subscribe()
      yield* wire.until(() => wire.closes[0])
      expect(wire.closes).toMatchObject([{ code: 1011 }])
    }).pipe(quietly)
  )

  it.effect("answers a request that dies with Internal, and goes on", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({
        wrapStore: (store) => ({ read: () => Effect.die(new Error("a bug")), append: store.append })
      })
      const wire = scene.connect()
      expect(yield* wire.answer(wire.subscribe())).toMatchObject({ code: "InternalServerError", reason: "Internal" })
      expect(yield* wire.answer(wire.write([todoAdded("a")]))).toMatchObject({ sequenceNumbers: [1] })
    }).pipe(quietly)
  )

  it.effect("is closed with 1013 when it can't be greeted", () =>
    Effect.gen(function* () {
      const away = new StorageError({ operation: "FeedAdmin.id", retryable: true, cause: "away" })
      const scene = yield* makeScene({ wrapAdmin: () => ({ id: Effect.fail(away) }) })
      const wire = scene.connect()
      expect(wire.closes).toMatchObject([{ code: 1013 }])
      expect(wire.received).toEqual([])
    }).pipe(quietly)
  )

  it.effect("handles what came before it was greeted, in order, once it was", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const scene = yield* makeScene({
        wrapAdmin: (admin) => ({ id: Effect.andThen(Deferred.await(gate), admin.id) })
      })
      const wire = scene.connect()
      wire.write([todoAdded("a")])
      wire.write([todoAdded("b")])
      expect(wire.received).toEqual([])
      yield* Deferred.succeed(gate, undefined)
      yield* wire.nth("Ack", 2)
      expect(wire.received.map(({ _tag }) => _tag)).toEqual(["Hello", "Ack", "Ack"])
      expect(wire.all("Ack").map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2]])
    })
  )

  it.effect("may have as many writes unanswered as it is told; the next waits for room", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const authorized: Array<string> = []
      const scene = yield* makeScene({
        limits: { maxPendingWrites: 2 },
        auth: { authorizeWrite: ({ entries }) => Effect.sync(() => void authorized.push(entries[0]!.primaryKey)) },
        wrapStore: (store) => ({
          append: (...args) => Effect.andThen(Deferred.await(gate), store.append(...args))
        })
      })
      const wire = scene.connect()
      for (const key of ["a", "b", "c", "d"]) wire.write([todoAdded(key)])
      expect(authorized).toEqual(["a", "b", "c"])
      yield* Deferred.succeed(gate, undefined)
      yield* wire.nth("Ack", 4)
      expect(wire.all("Ack").map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2], [3], [4]])
    })
  )

  it.effect("may have half of its share being written; the next write waits for room, whatever its entries weigh", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const authorized: Array<string> = []
      const scene = yield* makeScene({
        limits: { maxInboundBytes: 100_000 },
        auth: { authorizeWrite: ({ entries }) => Effect.sync(() => void authorized.push(entries[0]!.primaryKey)) },
        wrapStore: (store) => ({
          append: (...args) => Effect.andThen(Deferred.await(gate), store.append(...args))
        })
      })
      const wire = scene.connect()
      // Less than 8,000 bytes each, and more than 25,000 as objects.
      for (const key of ["a", "b", "c"]) wire.write(todosAdded(50, key))
      expect(authorized).toEqual(["a0", "b0"])
      yield* Deferred.succeed(gate, undefined)
      yield* wire.nth("Ack", 3)
      expect(authorized).toEqual(["a0", "b0", "c0"])
    })
  )

  it.effect.each([
    ["is empty", "", "Malformed"],
    ["has more bytes than it may", "ä".repeat(257), "Limit"],
    ["holds U+0000", "a\u0000", "Malformed"]
  ] as const)("refuses a public key that %s, on every request", ([, publicKey, reason]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ wrapRegistry: () => ({ resolve: () => Effect.die("asked") }) })
      const wire = scene.connect()
      const refusal = { _tag: "Error", code: "InvalidRequest", reason }
      expect(yield* wire.answer(wire.write([], publicKey))).toMatchObject(refusal)
      expect(yield* wire.answer(wire.subscribe(0, publicKey))).toMatchObject(refusal)
      wire.request({
        _tag: "Authenticate",
        publicKey,
        signingPublicKey: new Uint8Array(32),
        signature: new Uint8Array(64),
        algorithm: "Ed25519"
      })
      expect(yield* wire.nth("Error", 3)).toMatchObject({ ...refusal, requestTag: "Authenticate" })
    })
  )

  const part = (data: Uint8Array) => ({ _tag: "ChunkedMessage", id: 1, part: [0, 1], data }) as const

  it.effect.each([
    ["a part of a message before it proved a key", "required", [part(new Uint8Array(1))]],
    ["a part inside of parts", "off", [part(encodeRequestUnencrypted(part(new Uint8Array(1))))]]
  ] as const)("is closed for %s", ([, sessionAuth, messages]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth, limits: { maxRequestsPerSecond: 1 } })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      for (const message of messages) wire.request(message)
      expect(wire.closes).toMatchObject([{ code: 1008 }])
    })
  )

  it.effect("has frames above the rate handled later, and is not closed for them", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ limits: { maxRequestsPerSecond: 1 } })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      for (let id = 0; id < 5; id++) wire.request({ _tag: "Ping", id })
      yield* wire.nth("Pong", 2)
      for (const count of [2, 3, 4, 5]) {
        expect(wire.all("Pong").map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, id) => id))
        yield* TestClock.adjust("1 second")
      }
      expect(wire.closes).toEqual([])
    })
  )

  it.effect("refuses a proof where none is asked for", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const wire = scene.connect()
      expect(wire.all("Hello")[0]).not.toHaveProperty("challenge")
      wire.request({
        _tag: "Authenticate",
        publicKey: "A",
        signingPublicKey: new Uint8Array(32),
        signature: new Uint8Array(64),
        algorithm: "Ed25519"
      })
      expect(yield* wire.nth("Error")).toMatchObject({ requestTag: "Authenticate", reason: "Malformed" })
    })
  )
})

describe("checking again", () => {
  it.effect("takes a subscription that auth refuses now, and leaves the proof for writing", () =>
    Effect.gen(function* () {
      let isAllowed = true
      const scene = yield* makeScene({
        sessionAuth: "required",
        reauthorizeInterval: "30 seconds",
        auth: { authorizeRead: () => (isAllowed ? Effect.void : Effect.fail(forbidden)) }
      })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      yield* wire.prove("A", makeSigningKey())
      const id = wire.subscribe()
      yield* wire.answer(id)
      isAllowed = false
      yield* TestClock.adjust("30 seconds")
      expect(yield* wire.nth("Error")).toMatchObject({ requestTag: "RequestChanges", id, code: "Forbidden" })
      expect(yield* wire.answer(wire.write([todoAdded("a")]))).toMatchObject({ _tag: "Ack" })
      expect(wire.sequences).toEqual([])
    })
  )

  it.effect.each([
    [
      "throws",
      () => {
        throw new Error("a bug")
      }
    ],
    ["interrupts itself", () => Effect.interrupt],
    ["fails with what no typed app can", () => Effect.fail(null as never)],
    ["never answers", () => Effect.never]
  ] as const)("goes on for everybody when auth %s once", ([, broken]) =>
    Effect.gen(function* () {
      let state: "granting" | "broken" | "refusing" = "granting"
      const scene = yield* makeScene({
        reauthorizeInterval: "30 seconds",
        auth: {
          authorizeRead: () => {
            if (state === "broken") return broken()
            return state === "granting" ? Effect.void : Effect.fail(forbidden)
          }
        }
      })
      const wires = [scene.connect(), scene.connect()]
      for (const wire of wires) yield* wire.answer(wire.subscribe())
      state = "broken"
      yield* TestClock.adjust("1 minute")
      expect((yield* scene.server.stats).subscriptions).toBe(2)
      state = "refusing"
      yield* TestClock.adjust("1 minute")
      expect((yield* scene.server.stats).subscriptions).toBe(0)
    }).pipe(quietly)
  )

  it.effect("comes to everybody though as many callbacks hang as are asked at the same time", () =>
    Effect.gen(function* () {
      let isAllowed = true
      const scene = yield* makeScene({
        reauthorizeInterval: "30 seconds",
        auth: {
          authorizeRead: () =>
            Effect.flatMap(CurrentConnection, (connection) => {
              if (isAllowed) return Effect.void
              return connection?.principal === "slow" ? Effect.never : Effect.fail(forbidden)
            })
        }
      })
      const slow = Array.from({ length: 128 }, () => scene.connect({ principal: "slow" }))
      const last = scene.connect({ principal: "last" })
      for (const wire of [...slow, last]) yield* wire.answer(wire.subscribe())
      isAllowed = false
      yield* TestClock.adjust("30 seconds")
      expect(last.all("Error")).toEqual([])
      yield* TestClock.adjust("100 millis")
      yield* last.settled
      expect(last.all("Error")).toMatchObject([{ requestTag: "RequestChanges", code: "Forbidden" }])
    })
  )

  it.effect("shows auth the connection, as the first time", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const scene = yield* makeScene({
        reauthorizeInterval: "30 seconds",
        auth: { authorizeRead: () => Effect.map(CurrentConnection, (it) => void seen.push(it?.principal)) }
      })
      const wire = scene.connect({ principal: "ann" })
      yield* wire.answer(wire.subscribe())
      yield* TestClock.adjust("30 seconds")
      expect(seen).toEqual(["ann", "ann"])
    })
  )

  it.effect("takes a subscription whose key belongs to another store now", () =>
    Effect.gen(function* () {
      let current = storeId
      const scene = yield* makeScene({
        reauthorizeInterval: "30 seconds",
        wrapRegistry: () => ({ resolve: () => Effect.sync(() => current) })
      })
      const wire = scene.connect()
      const id = wire.subscribe()
      yield* wire.answer(id)
      current = StoreId.make("elsewhere")
      yield* TestClock.adjust("30 seconds")
      expect(yield* wire.nth("Error")).toMatchObject({ requestTag: "RequestChanges", id, reason: "NotMapped" })
      expect((yield* scene.server.stats).subscriptions).toBe(0)
    })
  )

  it.effect("after an administrator's call asks only about that key", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const scene = yield* makeScene({
        sessionAuth: "required",
        wrapRegistry: (registry) => ({
          bind: (claim) => {
            asked.push(claim.publicKey)
            return registry.bind(claim)
          }
        })
      })
      yield* scene.server.assign({ publicKey: "B", storeId })
      for (const key of ["A", "B"]) {
        const wire = scene.connect()
        yield* wire.nth("Hello")
        yield* wire.prove(key, makeSigningKey())
      }
      asked.length = 0
      const { signingPublicKey } = makeSigningKey()
      yield* scene.server.assign({ publicKey: "B", storeId, signingPublicKey })
      expect(asked).toEqual(["B"])
    })
  )
})

describe("draining", () => {
  it.effect("gives up on connections that don't take what is queued, after the timeout", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ drainTimeout: "5 seconds" })
      const stuck = scene.connect({ bufferedBytes: () => 1 })
      const draining = yield* Effect.forkChild(scene.server.drain, { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      expect(stuck.closes).toEqual([])
      yield* TestClock.adjust("1 second")
      expect(stuck.closes).toMatchObject([{ code: 1012 }])
      yield* Fiber.join(draining)
    })
  )

  it.effect("ends though an append never does", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ drainTimeout: "5 seconds", wrapStore: () => ({ append: () => Effect.never }) })
      const wire = scene.connect({ bufferedBytes: () => 0 })
      wire.write([todoAdded("a")])
      const closing = yield* Effect.forkChild(scene.close, { startImmediately: true })
      yield* TestClock.adjust("20 seconds")
      expect(wire.closes).toMatchObject([{ code: 1012 }])
      yield* Fiber.join(closing)
    })
  )

  it.effect("closes at once who connects meanwhile", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const stuck = scene.connect({ bufferedBytes: () => 1 })
      yield* Effect.forkChild(scene.server.drain, { startImmediately: true })
      expect(scene.connect().closes).toMatchObject([{ code: 1012 }])
      expect(stuck.closes).toEqual([])
    })
  )
})
