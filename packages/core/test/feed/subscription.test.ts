import { describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { expect } from "vitest"
import { StoreErasedError } from "../../src/backend/StorageError.ts"
import {
  interrupt,
  makeScene,
  RecordingSink,
  range,
  record,
  settle,
  settleLater,
  storeId,
  subscribe
} from "./harness.ts"

describe("a subscription", () => {
  it.effect("pages through history, says that it caught up, then rides the tail", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.append(10)
      const sink = new RecordingSink()
      yield* subscribe(scene, sink, 3)
      yield* settle
      expect(sink.sequences).toEqual(range(3, 10))
      expect(sink.heads).toEqual([10])
      yield* scene.append(3)
      yield* settle
      expect(sink.sequences).toEqual(range(3, 13))
    })
  )

  it.effect.each([4, 5, 8])("says that it caught up once all %i entries of its history were delivered", (count) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ maxEntries: 4 })
      yield* scene.append(count)
      const sink = new RecordingSink()
      const delivered: Array<number> = []
      Object.assign(sink, { caughtUp: () => delivered.push(sink.sequences.length) })
      yield* subscribe(scene, sink)
      yield* settle
      expect(delivered).toEqual([count])
    })
  )

  it.effect("leaves the tail while its sink is full, and misses nothing", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [slow, quick] = [new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, slow)
      yield* subscribe(scene, quick)
      yield* settle
      yield* scene.append(3)
      yield* settleLater
      slow.fill()
      for (let commit = 0; commit < 19; commit++) yield* scene.append(3)
      yield* settleLater
      expect(quick.sequences).toEqual(range(1, 60))
      expect(slow.sequences).toEqual([1, 2, 3])
      slow.drain()
      yield* settle
      expect(slow.sequences).toEqual(range(1, 60))
      yield* scene.append(1)
      yield* settle
      expect(slow.sequences).toEqual(range(1, 61))
    })
  )

  it.effect("reads each new page once, however many ride", () =>
    Effect.gen(function* () {
      let reads = 0
      const scene = yield* makeScene({}, (store) => ({
        read: (...args) => {
          reads++
          return store.read(...args)
        }
      }))
      const sinks = Array.from({ length: 10 }, () => new RecordingSink())
      for (const sink of sinks) yield* subscribe(scene, sink)
      yield* settle
      reads = 0
      yield* scene.append(4)
      yield* settle
      expect(reads).toBe(1)
      expect(new Set(sinks.map((sink) => sink.pages[0])).size).toBe(1)
      for (const sink of sinks) expect(sink.sequences).toEqual(range(1, 4))
    })
  )

  it.effect.each([
    ["what the tail remembers", 8, 5, false],
    ["storage, where that is too little", 600, 5, true],
    ["storage, where that lacks a single entry", 600, 4, true]
  ] as const)("catches up with a tail that went ahead from %s", ([, bytes, count, reading]) =>
    Effect.gen(function* () {
      let reads = 0
      const scene = yield* makeScene({}, (store) => ({
        read: (...args) => {
          reads++
          return store.read(...args)
        }
      }))
      yield* scene.append(1)
      const [ahead, behind] = [new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, ahead)
      behind.fill()
      yield* subscribe(scene, behind)
      yield* settle
      for (let entry = 0; entry < count; entry++)
        yield* Effect.andThen(scene.store.append(storeId, [record(bytes)]), settleLater)
      reads = 0
      behind.drain()
      yield* settle
      expect(ahead.sequences).toEqual(range(1, 1 + count))
      expect(behind.sequences).toEqual(range(1, 1 + count))
      expect(reads > 0).toBe(reading)
    })
  )

  it.effect("that is ahead of the tail is spared what it has of the next page", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [first, ahead] = [new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, first)
      yield* settle
      // The tail has no turn before all three are there, so they are one page to it.
      yield* scene.append(1)
      yield* subscribe(scene, ahead)
      yield* scene.append(2)
      yield* settle
      expect(first.pages.map(({ entries }) => entries.length)).toEqual([3])
      expect(ahead.sequences).toEqual([1, 2, 3])
    })
  )

  it.effect("waits for its sink when that fills up while a page is being read", () =>
    Effect.gen(function* () {
      const sink = new RecordingSink()
      // It is read ahead, before the page that begins at 5 is handed over.
      const scene = yield* makeScene({}, (store) => ({
        read: (storeId, from, limits) =>
          Effect.tap(store.read(storeId, from, limits), () => Effect.sync(() => from === 9 && sink.fill()))
      }))
      yield* scene.append(10)
      yield* subscribe(scene, sink)
      yield* settle
      expect(sink.sequences).toEqual(range(1, 4))
      sink.drain()
      yield* settle
      expect(sink.sequences).toEqual(range(1, 10))
    })
  )

  it.effect("leaves nothing behind when the last one ends", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const fibers = [
        yield* subscribe(scene, new RecordingSink()),
        yield* subscribe(scene, new RecordingSink())
      ] as const
      yield* settle
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([1, 1])
      yield* interrupt(fibers[0])
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([1, 1])
      yield* interrupt(fibers[1])
      yield* settle
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
    })
  )

  it.effect("leaves no tail behind that went ahead of it before it could ride", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const sink = new RecordingSink()
      sink.fill()
      const opened = yield* scene.feed.open(storeId, 0)
      const fiber = yield* Effect.forkChild(opened.run(sink), { startImmediately: true })
      // More than the tail remembers: it is ahead of the page that the subscription was opened with.
      for (let entry = 0; entry < 4; entry++) yield* scene.store.append(storeId, [record(5_000)])
      Object.assign(sink, { caughtUp: () => sink.fill() })
      sink.drain()
      yield* settle
      expect(sink.sequences).toEqual([])
      yield* interrupt(fiber)
      yield* settle
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
    })
  )

  it.effect.each([
    ["rides the tail", 0, false],
    ["waits for its sink with nothing to send", 0, true],
    ["waits for its sink with more to read", 10, true]
  ] as const)("ends when its store is erased while it %s", ([, count, isFull]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.append(count)
      const sink = new RecordingSink()
      if (isFull) sink.fill()
      const fiber = yield* subscribe(scene, sink)
      yield* settle
      yield* scene.admin.erase(storeId)
      sink.drain()
      yield* settle
      expect(fiber.pollUnsafe()).toEqual(Exit.fail(new StoreErasedError({ storeId })))
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
    })
  )

  it.effect("fails alone when its sink throws", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [broken, sound] = [new RecordingSink(), new RecordingSink()]
      const bug = new Error("a bug")
      Object.assign(broken, {
        deliver: () => {
          throw bug
        }
      })
      const fiber = yield* subscribe(scene, broken)
      yield* subscribe(scene, sound)
      yield* settle
      yield* scene.append(2)
      yield* settleLater
      expect(sound.sequences).toEqual([1, 2])
      const exit = yield* Fiber.await(fiber)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe(bug)
      yield* scene.append(1)
      yield* settle
      expect(sound.sequences).toEqual([1, 2, 3])
    })
  )

  it.effect("is refused beyond the head + 1, and begins at 1 for 0", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.append(2)
      expect(yield* Effect.flip(scene.feed.open(storeId, 4))).toMatchObject({ reason: "FeedMismatch" })
      const [first, last] = [new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, first, 0)
      yield* subscribe(scene, last, 3)
      yield* scene.append(1)
      yield* settle
      expect(first.sequences).toEqual([1, 2, 3])
      expect(last.sequences).toEqual([3])
    })
  )
})
