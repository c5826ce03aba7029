import { describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { StorageError } from "../../src/backend/StorageError.ts"
import { interrupt, makeScene, RecordingSink, range, settle, subscribe } from "./harness.ts"

const away = new StorageError({ operation: "FeedStore.read", retryable: true, cause: "away" })

/** Lets time pass until every retry had its turn. */
const comeBack = Effect.andThen(TestClock.adjust("10 seconds"), settle)

describe("while the backend is away", () => {
  it.effect("a subscription waits in the middle of its history, and misses nothing", () =>
    Effect.gen(function* () {
      let isAway = false
      const scene = yield* makeScene({}, (store) => ({
        read: (...args) => Effect.suspend(() => (isAway ? Effect.fail(away) : store.read(...args)))
      }))
      yield* scene.append(10)
      const sink = new RecordingSink()
      sink.fill()
      yield* subscribe(scene, sink)
      isAway = true
      sink.drain()
      yield* comeBack
      expect(sink.sequences).toEqual(range(1, 4))
      isAway = false
      yield* comeBack
      expect(sink.sequences).toEqual(range(1, 10))
    })
  )

  it.effect.each([
    ["fails", Effect.fail(away)],
    ["dies", Effect.die(new Error("a bug in the driver"))]
  ] as const)("the tail goes on when reading %s", ([, broken]) =>
    Effect.gen(function* () {
      let isBroken = false
      const scene = yield* makeScene({}, (store) => ({
        read: (...args) => Effect.suspend(() => (isBroken ? broken : store.read(...args)))
      }))
      const sink = new RecordingSink()
      yield* subscribe(scene, sink)
      yield* settle
      isBroken = true
      yield* scene.append(2)
      yield* comeBack
      expect(sink.sequences).toEqual([])
      isBroken = false
      yield* comeBack
      expect(sink.sequences).toEqual([1, 2])
    })
  )

  it.effect.each([
    ["fail", Stream.fail(away)],
    ["end", Stream.empty],
    ["die", Stream.die(new Error("a bug in the driver"))]
  ] as const)("the tail listens again when wake-ups %s, and misses nothing", ([, ending]) =>
    Effect.gen(function* () {
      let listened = 0
      const scene = yield* makeScene({}, (store) => ({
        wakeups: (storeId) =>
          Stream.suspend(() => (listened++ === 0 ? Stream.concat(Stream.succeed({}), ending) : store.wakeups(storeId)))
      }))
      const sink = new RecordingSink()
      yield* subscribe(scene, sink)
      yield* settle
      yield* scene.append(2)
      yield* settle
      expect(sink.sequences).toEqual([])
      yield* comeBack
      expect(sink.sequences).toEqual([1, 2])
      expect(listened).toBe(2)
    })
  )

  it.effect("a subscription whose reading never answers can be ended, and so can the room", () =>
    Effect.gen(function* () {
      let isHanging = false
      const scene = yield* makeScene({}, (store) => ({
        read: (...args) => Effect.suspend(() => (isHanging ? Effect.never : store.read(...args)))
      }))
      yield* scene.append(10)
      const [reading, riding] = [new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, riding)
      yield* settle
      reading.fill()
      const fiber = yield* subscribe(scene, reading)
      isHanging = true
      reading.drain()
      yield* settle
      yield* scene.append(1)
      yield* interrupt(fiber)
      yield* scene.close
      expect(scene.listeners()).toBe(0)
    })
  )
})
