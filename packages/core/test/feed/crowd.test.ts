import { describe, it } from "@effect/vitest"
import { Clock, Effect, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { Crowd } from "../../src/feed/Crowd.ts"

const makeCrowd = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const run = yield* FiberSet.makeRuntime()
  const crowd = new Crowd(clock.currentTimeMillisUnsafe.bind(clock), run)
  let passed = 0
  /** So many come now; returns how many of all have gone on. */
  const come = (count: number) => {
    for (let one = 0; one < count; one++) run(Effect.map(crowd.gather(), () => void passed++))
    return passed
  }
  return { come, passed: () => passed }
})

describe("those who come", () => {
  it.effect("wait for nobody while they are few, however long that goes on", () =>
    Effect.gen(function* () {
      const { come } = yield* makeCrowd
      for (let second = 1; second <= 10; second++) {
        expect(come(256)).toBe(second * 256)
        yield* TestClock.adjust("1 second")
      }
    })
  )

  it.effect("in a crowd go on together, every ten milliseconds", () =>
    Effect.gen(function* () {
      const { come, passed } = yield* makeCrowd
      expect(come(256)).toBe(256)
      expect(come(50)).toBe(256)
      yield* TestClock.adjust(9)
      expect(come(10)).toBe(256)
      yield* TestClock.adjust(1)
      expect(passed()).toBe(316)
      expect(come(5)).toBe(316)
      yield* TestClock.adjust(10)
      expect(passed()).toBe(321)
    })
  )

  it.effect("go on 64 at a time, in the order in which they came", () =>
    Effect.gen(function* () {
      const { come, passed } = yield* makeCrowd
      expect(come(256 + 150)).toBe(256)
      const after: Array<number> = []
      for (let time = 0; time < 4; time++) {
        yield* TestClock.adjust(10)
        after.push(passed())
      }
      expect(after).toEqual([320, 384, 406, 406])
    })
  )

  it.effect("are a crowd for as long as so many come, and none soon after", () =>
    Effect.gen(function* () {
      const { come, passed } = yield* makeCrowd
      come(300)
      yield* TestClock.adjust("1 second")
      expect(passed()).toBe(300)
      // Those of the second before still count.
      expect(come(1)).toBe(300)
      yield* TestClock.adjust("1 second")
      expect(come(1)).toBe(302)
      yield* TestClock.adjust("1 minute")
      expect(come(256)).toBe(558)
    })
  )

  it.effect("go on though the clock was set back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const { come } = yield* makeCrowd
      expect(come(200)).toBe(200)
      yield* TestClock.setTime(0)
      expect(come(200)).toBe(400)
    })
  )
})
