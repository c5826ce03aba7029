import { describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { FeedLostError, StoreErasedError } from "../../src/backend/StorageError.ts"
import { pauseMillis } from "../../src/feed/News.ts"
import {
  interrupt,
  makeScene,
  RecordingSink,
  range,
  type Scene,
  settle,
  settleLater,
  storeId,
  subscribe
} from "./harness.ts"

/** Writes that are committed one by one, each of which everybody hears of. */
const burst = (scene: Scene, count: number) =>
  Effect.forEach(range(1, count), () => Effect.andThen(scene.commit(1), settle), { discard: true })

/** How many entries came in each frame. */
const framesOf = ({ pages }: RecordingSink): ReadonlyArray<number> => pages.map(({ entries }) => entries.length)

const makeRoomy = () => makeScene({ maxEntries: 1_000, maxBytes: 1_000_000 })

describe("a burst of writes", () => {
  it.effect("goes out with its first at once, and with the others when the pause is over", () =>
    Effect.gen(function* () {
      const scene = yield* makeRoomy()
      const sinks = [new RecordingSink(), new RecordingSink()]
      for (const sink of sinks) yield* subscribe(scene, sink)
      yield* settle
      yield* burst(scene, 100)
      for (const sink of sinks) expect(framesOf(sink)).toEqual([1])
      yield* TestClock.adjust(pauseMillis)
      yield* settle
      for (const sink of sinks) {
        expect(framesOf(sink)).toEqual([1, 99])
        expect(sink.sequences).toEqual(range(1, 100))
      }
    })
  )

  it.effect("that goes on makes a frame in each pause, in order", () =>
    Effect.gen(function* () {
      const scene = yield* makeRoomy()
      const sink = new RecordingSink()
      yield* subscribe(scene, sink)
      yield* settle
      for (let millis = 0; millis < 10 * pauseMillis; millis++) {
        yield* burst(scene, 2)
        yield* TestClock.adjust(1)
        yield* settle
      }
      // Whoever waits for quiet would have sent one.
      expect(sink.pages.length).toBeGreaterThan(9)
      expect(sink.pages.length).toBeLessThan(12)
      expect(sink.sequences).toEqual(range(1, 20 * pauseMillis))
    })
  )

  it.effect("goes out in pages that keep the limits", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ maxEntries: 4 })
      const sink = new RecordingSink()
      yield* subscribe(scene, sink)
      yield* settle
      yield* burst(scene, 10)
      yield* settleLater
      expect(framesOf(sink)).toEqual([1, 4, 4, 1])
    })
  )

  it.effect("leaves nothing out for who comes or goes meanwhile", () =>
    Effect.gen(function* () {
      const scene = yield* makeRoomy()
      const [stays, leaves, comes] = [new RecordingSink(), new RecordingSink(), new RecordingSink()]
      yield* subscribe(scene, stays)
      const fiber = yield* subscribe(scene, leaves)
      yield* settle
      yield* burst(scene, 5)
      yield* interrupt(fiber)
      yield* subscribe(scene, comes)
      yield* burst(scene, 5)
      yield* settleLater
      expect(leaves.sequences).toEqual([1])
      yield* subscribe(scene, leaves, 2)
      yield* settle
      for (const sink of [stays, leaves, comes]) expect(sink.sequences).toEqual(range(1, 10))
    })
  )
})

describe("a write", () => {
  it.effect("goes out at once after a pause, though others came before", () =>
    Effect.gen(function* () {
      const scene = yield* makeRoomy()
      const sink = new RecordingSink()
      yield* subscribe(scene, sink)
      yield* settle
      yield* burst(scene, 2)
      yield* settleLater
      yield* TestClock.adjust(pauseMillis)
      yield* burst(scene, 1)
      expect(sink.sequences).toEqual([1, 2, 3])
    })
  )

  it.effect("waits no longer than the pause where the clock is set back", () =>
    Effect.gen(function* () {
      const scene = yield* makeRoomy()
      const sink = new RecordingSink()
      yield* TestClock.setTime(1_000_000)
      yield* subscribe(scene, sink)
      yield* settle
      yield* burst(scene, 1)
      yield* TestClock.setTime(0)
      yield* burst(scene, 1)
      yield* settleLater
      expect(sink.sequences).toEqual([1, 2])
    })
  )
})

describe("in the pause after a write", () => {
  const makePaused = Effect.gen(function* () {
    const scene = yield* makeRoomy()
    const sink = new RecordingSink()
    const fiber = yield* subscribe(scene, sink)
    yield* settle
    yield* burst(scene, 5)
    expect(sink.sequences).toEqual([1])
    return { scene, sink, fiber }
  })

  it.effect("a subscription can be ended at once", () =>
    Effect.gen(function* () {
      const { fiber, scene } = yield* makePaused
      yield* interrupt(fiber)
      yield* settle
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
    })
  )

  it.effect("the erasure of the store ends it at once, and nothing goes out any more", () =>
    Effect.gen(function* () {
      const { fiber, scene, sink } = yield* makePaused
      yield* scene.admin.erase(storeId)
      yield* settle
      expect(fiber.pollUnsafe()).toEqual(Exit.fail(new StoreErasedError({ storeId })))
      yield* settleLater
      expect(sink.sequences).toEqual([1])
      expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
    })
  )

  it.effect("another history ends it at once", () =>
    Effect.gen(function* () {
      const { fiber, scene, sink } = yield* makePaused
      yield* scene.admin.rotateId(yield* scene.admin.id)
      yield* Effect.exit(scene.feed.open(storeId, 1))
      yield* settle
      expect(fiber.pollUnsafe()).toEqual(Exit.fail(new FeedLostError({ storeId, sequence: undefined })))
      yield* settleLater
      expect(sink.sequences).toEqual([1])
    })
  )
})
