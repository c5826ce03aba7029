import { describe, it } from "@effect/vitest"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { RefusalStatus } from "../../src/connection/connections.ts"
import type { Admit } from "../../src/server/admit.ts"
import { refuse } from "../../src/server/asyncAuth.ts"
import { makeScene } from "./harness.ts"

const tooMany = [{ code: 1013 }]

describe("a connection that proves no key", () => {
  it.effect("is closed after ten seconds, whatever else it says", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required" })
      const [camper, device] = [scene.connect(), scene.connect()]
      yield* camper.nth("Hello")
      yield* device.nth("Hello")
      yield* device.prove("A", makeSigningKey())
      for (let second = 0; second < 9; second++) {
        camper.request({ _tag: "Pong", id: second })
        yield* TestClock.adjust("1 second")
      }
      expect(camper.closes).toEqual([])
      yield* TestClock.adjust("2 seconds")
      expect(camper.closes).toMatchObject([{ code: 1008, reason: "No key was proved in time" }])
      expect(yield* device.answer(device.write([todoAdded("a")]))).toMatchObject({ _tag: "Ack" })
      yield* TestClock.adjust("1 minute")
      expect(device.closes).toEqual([])
    })
  )

  it.effect("is closed for one more, the oldest first, and takes no place of a device", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required", limits: { maxUnprovedConnections: 3 } })
      const device = scene.connect()
      yield* device.nth("Hello")
      yield* device.prove("A", makeSigningKey())
      const strangers = Array.from({ length: 5 }, () => scene.connect())
      expect(strangers.map(({ closes }) => closes.length)).toEqual([1, 1, 0, 0, 0])
      expect(strangers[0]!.closes).toMatchObject(tooMany)
      const other = scene.connect()
      yield* other.nth("Hello")
      expect(yield* other.prove("A", makeSigningKey())).toMatchObject({ reason: "BadProof" })
      expect(device.closes).toEqual([])
    })
  )

  it.effect("may have 64 KiB and eight frames unhandled, and 16 KiB a frame", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required" })
      const [big, many, much] = [scene.connect(), scene.connect(), scene.connect()]
      yield* Effect.forEach([big, many, much], (wire) => wire.nth("Hello"))
      big.frame(new Uint8Array(16 * 1024 + 1))
      expect(big.closes).toMatchObject([{ code: 1009 }])
      for (let id = 0; id < 30; id++) many.request({ _tag: "Ping", id })
      yield* many.until(() => many.closes[0])
      expect(many.closes).toMatchObject([{ code: 1008, reason: "Too much is unanswered" }])
      // Read at once, but the answers are not.
      for (let count = 0; count < 5; count++) much.frame(new Uint8Array(16 * 1024))
      expect(much.closes).toHaveLength(1)
    })
  )

  it.effect("is closed when it leaves 64 KiB unread, with what the frames cost", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required", proofTimeout: "1 hour" })
      let buffered = 0
      const wire = scene.connect({ bufferedBytes: () => buffered })
      yield* wire.nth("Hello")
      for (let id = 0; wire.closes.length === 0 && id < 1_000; id++) {
        wire.request({ _tag: "Ping", id })
        yield* TestClock.adjust("1 second")
        // Not more than a Pong has.
        buffered += 12
      }
      expect(wire.all("Pong").length).toBeLessThan(400)
      expect(wire.closes).toMatchObject([{ code: 1008, reason: "The connection is not being read" }])
      expect(wire.isTerminated).toBe(true)
    })
  )
})

describe("a socket", () => {
  it.effect("that is closed counts until it is gone, and is ended when its peer doesn't answer", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ limits: { maxConnections: 2 } })
      const [mute, device] = [scene.connect({ isMute: true }), scene.connect()]
      yield* device.settled
      mute.frame("text")
      expect(mute.closes).toMatchObject([{ code: 1007 }])
      expect((yield* scene.server.stats).connections).toBe(1)
      expect(scene.connect().closes).toMatchObject(tooMany)
      yield* TestClock.adjust("4 seconds")
      expect(mute.isTerminated).toBe(false)
      yield* TestClock.adjust("2 seconds")
      expect(mute.isTerminated).toBe(true)
      const next = scene.connect()
      yield* next.settled
      expect(next.closes).toEqual([])
    })
  )

  it.effect("of an address that has as many as it may is refused, and no other", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ limits: { maxConnectionsPerAddress: 2 } })
      const info = { remoteAddress: "192.0.2.1", headers: {}, principal: undefined }
      const [first] = [scene.connect(info), scene.connect(info)]
      expect(yield* scene.server.admit(info)).toBe(429)
      expect(scene.connect(info).closes).toMatchObject(tooMany)
      expect(yield* scene.server.admit({ ...info, remoteAddress: "192.0.2.2" })).toBeUndefined()
      yield* first!.settled
      first!.cut()
      yield* Effect.yieldNow
      expect(yield* scene.server.admit(info)).toBeUndefined()
    })
  )

  it.effect("is waited for by a server that closes, and ended when its peer doesn't answer", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const mute = scene.connect({ isMute: true, bufferedBytes: () => 0 })
      yield* mute.settled
      const draining = yield* Effect.forkChild(scene.server.drain, { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      expect([mute.closes.length, mute.isTerminated, draining.pollUnsafe()]).toEqual([1, false, undefined])
      yield* TestClock.adjust("2 seconds")
      expect(mute.isTerminated).toBe(true)
      expect(draining.pollUnsafe()).toBeDefined()
      expect(yield* scene.server.admit({ remoteAddress: undefined, headers: {}, principal: undefined })).toBe(503)
    })
  )
})

describe("the app's own rule for connections", () => {
  const info = { remoteAddress: undefined, headers: { "x-tenant": "a" }, principal: "ann" }

  const broken = () => {
    throw new Error("the rule is broken")
  }
  const rules: ReadonlyArray<readonly [string, Admit, RefusalStatus | undefined]> = [
    ["lets in", () => undefined, undefined],
    ["refuses by returning false", () => false, 403],
    ["refuses by a promise of false", async () => false, 403],
    ["refuses by a word", () => refuse("Not today"), 403],
    ["fails", broken, 503]
  ]

  it.effect.each(rules)("that %s", ([, admit, status]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ admit })
      expect(yield* scene.server.admit(info)).toBe(status)
    })
  )

  it.effect("sees who connects", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const scene = yield* makeScene({ admit: (connection) => void seen.push(connection) })
      yield* scene.server.admit(info)
      expect(seen).toEqual([info])
    })
  )
})
