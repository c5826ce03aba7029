import { Clock, Effect, Random as EffectRandom, Logger } from "effect"
import { TestClock } from "effect/testing"
import type { Evidence } from "../oracle/history.ts"
import { failingEvents, handledEvents, noteEvents } from "../schema.ts"
import { leaseMillis } from "./leases.ts"
import type { Scenario } from "./scenario.ts"
import { makeWorld, type World } from "./world.ts"

/** Any time will do that is far enough from 1970 for clocks to be off. */
const startTime = 1_750_000_000_000

const rules: Evidence["rules"] = {
  handledEvents,
  failingEvents,
  compactedEvents: noteEvents,
  rollsBack: false,
  maxConflicts: 10_000,
  excuseMillis: leaseMillis,
  maxServerBytes: Number.POSITIVE_INFINITY
}

const play = Effect.fnUntraced(function* (world: World, scenario: Scenario) {
  for (const step of scenario.steps) {
    yield* world.perform(step)
    yield* TestClock.adjust(step.millis)
  }
})

/** Lets everything come to rest: until nothing is missing, or for as long as patience lasts. */
const settle = Effect.fnUntraced(function* (world: World) {
  yield* world.heal
  for (let seconds = 0; seconds < 120 && !(yield* world.isAtRest); seconds++) yield* TestClock.adjust("1 second")
  // It takes its time, which doesn't go by while it is waited for.
  const asking = yield* Effect.forkChild(world.retryFailures)
  const isDone = Effect.map(world.hasRetries, (hasRetries) => asking.pollUnsafe() !== undefined && !hasRetries)
  for (let seconds = 0; seconds < 120 && !(yield* isDone); seconds++) yield* TestClock.adjust("1 second")
  // What nobody asked for would come now.
  yield* TestClock.adjust("6 seconds")
})

/** Plays a scenario on two nodes, in a time of its own, and answers what was seen. The same one always goes the same way. */
export const simulate = (scenario: Scenario): Promise<Evidence> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(startTime)
    const clock = yield* Clock.Clock
    const world = yield* makeWorld(scenario, () => clock.currentTimeMillisUnsafe() - startTime)
    yield* play(world, scenario)
    yield* settle(world)
    return { history: world.history, outcome: yield* world.outcome, rules }
  }).pipe(
    EffectRandom.withSeed(scenario.seed),
    Effect.provide([TestClock.layer({ warningDelay: "1 hour" }), Logger.layer([])]),
    Effect.scoped,
    Effect.runPromise
  )
