import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { StorageError } from "../../src/backend/StorageError.ts"
import type { Page } from "../../src/feed/page.ts"
import { interrupt, makeScene, RecordingSink, range, settle, storeId, subscribe } from "./harness.ts"

/** A scene whose reads are counted, and wait while the gate is closed. */
const makeGated = Effect.fnUntraced(function* (count: number) {
  const reads: Array<number> = []
  let rows = 0
  let gate: Deferred.Deferred<void, StorageError> | undefined
  const scene = yield* makeScene({ maxEntries: 4 }, (store) => ({
    read: (storeId, from, limits, known) =>
      Effect.suspend(() => {
        reads.push(from)
        return Effect.andThen(
          gate === undefined ? Effect.void : Deferred.await(gate),
          store.read(storeId, from, limits, known)
        )
      }).pipe(
        Effect.tap(({ entries }) =>
          Effect.sync(() => {
            rows += entries.length
          })
        )
      )
  }))
  yield* scene.append(count)
  return {
    scene,
    reads,
    rows: () => rows,
    close: () => {
      gate = Deferred.makeUnsafe()
    },
    open: (exit: Effect.Effect<void, StorageError> = Effect.void) => {
      const closed = gate
      gate = undefined
      if (closed !== undefined) Deferred.doneUnsafe(closed, exit)
    }
  }
})

const sinks = (count: number) => Array.from({ length: count }, () => new RecordingSink())

describe("a history that many want at the same time", () => {
  it.effect("is read once, and each of its pages is one page to all", () =>
    Effect.gen(function* () {
      const { close, open, rows, scene } = yield* makeGated(20)
      close()
      const devices = sinks(50)
      for (const device of devices) yield* Effect.forkChild(subscribe(scene, device), { startImmediately: true })
      yield* settle
      open()
      yield* settle
      for (const device of devices) {
        expect(device.sequences).toEqual(range(1, 20))
        expect(device.heads).toEqual([20])
      }
      expect(rows()).toBe(20)
      const pages = new Set<Page>(devices.flatMap((device) => device.pages))
      expect([...pages].flatMap(({ entries }) => entries.map((it) => it.remoteSequence))).toEqual(range(1, 20))
    })
  )

  it.effect("is read once wherever each of them goes on", () =>
    Effect.gen(function* () {
      const { rows, scene } = yield* makeGated(20)
      // Keeps the store's pages at hand: it can't go on.
      const slow = new RecordingSink()
      slow.fill()
      yield* subscribe(scene, slow)
      yield* settle
      const before = rows()
      expect(before).toBe(4)
      for (const from of [1, 3, 4, 2]) {
        const device = new RecordingSink()
        yield* subscribe(scene, device, from)
        yield* settle
        expect(device.sequences).toEqual(range(from, 20))
        expect(device.heads).toEqual([20])
      }
      expect(rows()).toBe(20)
    })
  )

  it.effect("is read a page ahead while few read, up to its end", () =>
    Effect.gen(function* () {
      const { reads, scene } = yield* makeGated(12)
      const device = new RecordingSink()
      const begun: Array<ReadonlyArray<number>> = []
      const deliver = (page: Page, index: number) => {
        begun.push([...reads])
        device.deliver(page, index)
      }
      yield* subscribe(scene, { ...device, deliver })
      yield* settle
      expect(device.sequences).toEqual(range(1, 12))
      expect(begun).toEqual([
        [1, 5],
        [1, 5, 9],
        [1, 5, 9]
      ])
    })
  )

  it.effect("is let go of behind one who reads it alone, but for the last two pages", () =>
    Effect.gen(function* () {
      const { reads, scene } = yield* makeGated(40)
      yield* subscribe(scene, new RecordingSink())
      yield* settle
      reads.length = 0
      const device = new RecordingSink()
      yield* subscribe(scene, device, 33)
      yield* settle
      expect(device.sequences).toEqual(range(33, 40))
      // Only where the feed ends is looked at again.
      expect(new Set(reads)).toEqual(new Set([41]))
      yield* subscribe(scene, new RecordingSink(), 29)
      yield* settle
      expect(reads).toContain(29)
    })
  )

  it.effect("is read again by one who comes long after", () =>
    Effect.gen(function* () {
      const { rows, scene } = yield* makeGated(8)
      const look = Effect.gen(function* () {
        const device = new RecordingSink()
        yield* subscribe(scene, device)
        yield* settle
        expect(device.sequences).toEqual(range(1, 8))
      })
      yield* look
      yield* look
      expect(rows()).toBe(8)
      yield* TestClock.adjust("2 seconds")
      yield* look
      expect(rows()).toBe(16)
    })
  )

  it.effect("tells each who comes later of what came meanwhile", () =>
    Effect.gen(function* () {
      const { scene } = yield* makeGated(6)
      const slow = new RecordingSink()
      slow.fill()
      yield* subscribe(scene, slow)
      yield* scene.append(3)
      const later = new RecordingSink()
      yield* subscribe(scene, later)
      yield* settle
      expect(later.sequences).toEqual(range(1, 9))
      expect(later.heads).toEqual([9])
      slow.drain()
      yield* settle
      expect(slow.sequences).toEqual(range(1, 9))
    })
  )

  it.effect("goes on for the others when the one who asked first leaves", () =>
    Effect.gen(function* () {
      const { close, open, reads, scene } = yield* makeGated(4)
      close()
      const [leaver, stayer] = [new RecordingSink(), new RecordingSink()] as const
      const leaving = yield* Effect.forkChild(subscribe(scene, leaver), { startImmediately: true })
      yield* Effect.forkChild(subscribe(scene, stayer), { startImmediately: true })
      yield* settle
      expect(reads).toEqual([1])
      yield* interrupt(leaving)
      open()
      yield* settle
      expect(leaver.sequences).toEqual([])
      expect(stayer.sequences).toEqual(range(1, 4))
    })
  )

  it.effect("fails for all who wait for a read that fails, and for nobody later", () =>
    Effect.gen(function* () {
      const { close, open, scene } = yield* makeGated(4)
      close()
      const opening = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(Effect.exit(scene.feed.open(storeId, 1)), { startImmediately: true })
      )
      yield* settle
      open(Effect.fail(new StorageError({ operation: "read", cause: new Error("away"), retryable: true })))
      for (const fiber of opening) expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Failure" })
      const later = new RecordingSink()
      yield* subscribe(scene, later)
      yield* settle
      expect(later.sequences).toEqual(range(1, 4))
    })
  )
})
