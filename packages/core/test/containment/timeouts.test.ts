import { describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { Timeouts } from "../../src/containment/Timeouts.ts"

/** Timeouts of 100 ms, and how often something slept for them. */
const makeTimeouts = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let sleeps = 0
  const counted: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeps++
        return clock.sleep(duration)
      })
  }
  const run = Effect.runForkWith(yield* Effect.context<never>())
  return {
    sleeps: () => sleeps,
    timeouts: new Timeouts({
      millis: 100,
      clock,
      run: (effect) => run(Effect.provideService(effect, Clock.Clock, counted))
    })
  }
})

describe("Timeouts", () => {
  it.effect("call back when the time of each is over, unless it was cancelled", () =>
    Effect.gen(function* () {
      const { timeouts } = yield* makeTimeouts
      const over: Array<string> = []
      const [first, second, third] = ["first", "second", "third"].map((name) => () => void over.push(name))
      timeouts.start(first!)
      yield* TestClock.adjust("60 millis")
      timeouts.start(second!)
      timeouts.start(third!)
      yield* TestClock.adjust("39 millis")
      expect(over).toEqual([])
      yield* TestClock.adjust("1 millis")
      expect(over).toEqual(["first"])
      timeouts.cancel(second!)
      yield* TestClock.adjust("59 millis")
      expect(over).toEqual(["first"])
      yield* TestClock.adjust("1 millis")
      expect(over).toEqual(["first", "third"])
      timeouts.start(second!)
      yield* TestClock.adjust("100 millis")
      expect(over).toEqual(["first", "third", "second"])
    })
  )

  it.effect("share a timer, and leave none behind", () =>
    Effect.gen(function* () {
      const { sleeps, timeouts } = yield* makeTimeouts
      for (let count = 0; count < 1_000; count++) {
        const onTimeout = () => {}
        timeouts.start(onTimeout)
        if (count % 2 === 0) timeouts.cancel(onTimeout)
        if (count % 10 === 0) yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("1 second")
      // Of 1,000 that began within 100 ms, those of a millisecond end together.
      expect(sleeps()).toBeLessThanOrEqual(102)
      const before = sleeps()
      timeouts.start(() => expect.unreachable())
      timeouts.stop()
      yield* TestClock.adjust("1 second")
      expect(sleeps()).toBe(before + 1)
    })
  )
})
