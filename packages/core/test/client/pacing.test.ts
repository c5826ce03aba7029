import { assert, describe, it } from "@effect/vitest"
import { makeEntry } from "@eventlog-server/testkit/schema"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { batchWeight, refuseUnsendable, splitBacklog } from "../../src/client/backlog.ts"
import { backoffMillis } from "../../src/client/backoff.ts"
import { ConnectionFailure } from "../../src/client/index.ts"
import { keepAlive } from "../../src/client/keepAlive.ts"
import { SendWindow } from "../../src/client/sendWindow.ts"
import { Session } from "../../src/client/session.ts"
import { Sessions } from "../../src/client/sessions.ts"
import { countFailures } from "../../src/client/supervisor.ts"
import {
  announcedLimits,
  defaultLimits,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted
} from "../../src/wire/index.ts"
import { remoteId } from "./scriptedServer.ts"

describe("the wait before connecting again", () => {
  it.effect("is any part of a window that doubles up to a bound", () =>
    Effect.gen(function* () {
      const settings = { backoffMinimum: 100, backoffMaximum: 1_000 }
      const windows = [100, 200, 400, 800, 1_000, 1_000]
      for (const [index, window] of windows.entries()) {
        const waits = yield* Effect.forEach(Array(200).keys(), () => backoffMillis(settings, index + 1))
        assert.isTrue(waits.every((wait) => wait >= 0 && wait <= window))
        // Full jitter: both ends of the window are in use.
        assert.isBelow(Math.min(...waits), window / 4)
        assert.isAbove(Math.max(...waits), (window * 3) / 4)
      }
      assert.isAtMost(yield* backoffMillis(settings, 10_000), 1_000)
    })
  )

  it("counts failures in a row, which a stable connection ends", () => {
    const ended = (lived: number, closeCode?: number) => ({
      failure: new ConnectionFailure({ reason: "Closed", message: "", closeCode }),
      lived
    })
    assert.strictEqual(countFailures(0, ended(0), 1_000), 1)
    assert.strictEqual(countFailures(5, ended(999), 1_000), 6)
    assert.strictEqual(countFailures(5, ended(1_000), 1_000), 1)
    // A server that restarts or is full loses all its devices at once.
    for (const code of [1012, 1013]) {
      assert.strictEqual(countFailures(0, ended(0, code), 1_000), 4)
      assert.strictEqual(countFailures(5, ended(1_000, code), 1_000), 4)
      assert.strictEqual(countFailures(7, ended(0, code), 1_000), 8)
    }
  })
})

describe("a backlog", () => {
  const entries = fc.array(
    fc.record({
      key: fc.string({ unit: "grapheme", maxLength: 300, size: "max" }),
      bytes: fc.integer({ min: 0, max: 3_000 })
    }),
    { maxLength: 60 }
  )

  it("is split into batches that keep its order and fit the limits", () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 10 }), (specs, maxBatchEntries) => {
        const limits = { ...announcedLimits(defaultLimits), maxBatchEntries, maxMessageBytes: 4_000 }
        const backlog = specs
          .map(({ bytes, key }) => makeEntry({ primaryKey: key, payload: bytes }))
          .filter((entry) => refuseUnsendable(entry, limits) === undefined)
        const batches = splitBacklog(backlog, limits)
        assert.deepStrictEqual(batches.flat(), backlog)
        for (const batch of batches) {
          assert.isTrue(batch.length > 0 && batch.length <= maxBatchEntries)
          const message = encodeRequestUnencrypted({
            _tag: "WriteEntries",
            id: Number.MAX_SAFE_INTEGER,
            publicKey: "",
            entries: batch
          })
          assert.isAtMost(message.length, batchWeight(batch))
          assert.isAtMost(message.length, limits.maxMessageBytes)
        }
      }),
      { numRuns: process.env.EVENTLOG_TEST_LONG === undefined ? 50 : 2_000 }
    )
  })
})

describe("the send window", () => {
  const size = { requests: 2, bytes: 100, frames: 100, frameBytes: 1_000 }

  it.effect("lets requests in as they came, bounded in number and bytes, a big one alone", () =>
    Effect.gen(function* () {
      const window = new SendWindow(size)
      const log: Array<string> = []
      const request = (name: string, bytes: number) =>
        window.within(
          bytes,
          Effect.suspend(() => {
            log.push(name)
            return Effect.sleep(1_000)
          })
        )
      const fibers = yield* Effect.forEach(
        [request("a", 60), request("b", 30), request("c", 10), request("d", 1_000), request("e", 1)],
        (effect) => Effect.forkChild(effect, { startImmediately: true })
      )
      assert.deepStrictEqual(log, ["a", "b"])
      // An interrupted one keeps its place: it is under way all the same.
      yield* Fiber.interrupt(fibers[1]!)
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["a", "b"])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, ["a", "b", "c"])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, ["a", "b", "c", "d"])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, ["a", "b", "c", "d", "e"])
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fibers[4]!)
    })
  )

  it.effect("lets nobody in for one that gave up while it waited", () =>
    Effect.gen(function* () {
      const window = new SendWindow({ ...size, requests: 1 })
      const log: Array<string> = []
      const request = (name: string) =>
        window.within(
          1,
          Effect.suspend(() => {
            log.push(name)
            return Effect.sleep(1_000)
          })
        )
      const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
        Effect.forkChild(request(name), { startImmediately: true })
      )
      yield* Fiber.interrupt(fibers[1]!)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, ["a", "c"])
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fibers[2]!)
    })
  )

  it.effect("counts the frames of each request", () =>
    Effect.gen(function* () {
      const window = new SendWindow({ requests: 10, bytes: 10_000, frames: 5, frameBytes: 100 })
      const log: Array<number> = []
      const request = (bytes: number) =>
        window.within(
          bytes,
          Effect.suspend(() => {
            log.push(bytes)
            return Effect.sleep(1_000)
          })
        )
      for (const bytes of [100, 101, 200, 5_000, 1]) {
        yield* Effect.forkChild(request(bytes), { startImmediately: true })
      }
      assert.deepStrictEqual(log, [100, 101, 200])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, [100, 101, 200, 5_000])
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, [100, 101, 200, 5_000, 1])
      yield* TestClock.adjust(1_000)
    })
  )
})

const openSession = (sent: Array<ProtocolRequestUnencrypted["_tag"]> = []) =>
  new Session({ _tag: "Hello", remoteId, protocol: 1, limits: announcedLimits(defaultLimits) }, ({ _tag }) =>
    sent.push(_tag)
  )

describe("waiting for a session", () => {
  it.effect("passes over one that ended, and one that isn't wanted", () =>
    Effect.gen(function* () {
      const sessions = new Sessions()
      const [ended, unwanted, wanted] = [openSession(), openSession(), openSession()]
      ended.end(new ConnectionFailure({ reason: "Closed", message: "" }))
      sessions.set(ended)
      const waiting = yield* Effect.forkChild(
        sessions.next((session) => session !== unwanted),
        { startImmediately: true }
      )
      for (const session of [undefined, unwanted, ended, wanted]) sessions.set(session)
      assert.strictEqual(yield* Fiber.join(waiting), wanted)
    })
  )
})

describe("keeping alive", () => {
  it.effect("asks after a silence only, and gives up when nothing answers", () =>
    Effect.gen(function* () {
      const sent: Array<ProtocolRequestUnencrypted["_tag"]> = []
      const session = openSession(sent)
      const settings = { pingInterval: 20_000, pingTimeout: 10_000 }
      const watching = yield* Effect.forkChild(Effect.flip(keepAlive(session, settings, Effect.never)), {
        startImmediately: true
      })
      for (let interval = 0; interval < 3; interval++) {
        yield* TestClock.adjust(10_000)
        session.heard = true
        yield* TestClock.adjust(10_000)
      }
      assert.isEmpty(sent)
      yield* TestClock.adjust(20_000)
      assert.deepStrictEqual(sent, ["Ping"])
      session.heard = true
      yield* TestClock.adjust(10_000)
      yield* TestClock.adjust(20_000)
      assert.deepStrictEqual(sent, ["Ping", "Ping"])
      yield* TestClock.adjust(10_000)
      assert.include(yield* Fiber.join(watching), { reason: "Timeout" })
    })
  )
})
