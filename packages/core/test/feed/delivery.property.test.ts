import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { expect, it } from "vitest"
import type { FeedStore } from "../../src/backend/FeedStore.ts"
import {
  makeScene,
  RecordingSink,
  range,
  record,
  type Scene,
  settle,
  settleLater,
  storeId,
  subscribe
} from "./harness.ts"

const sinks = 3
const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 40 : 3_000

type Step =
  | { readonly do: "append"; readonly sizes: ReadonlyArray<number> }
  | { readonly do: "subscribe" | "leave" | "fill" | "drain"; readonly who: number }
  | { readonly do: "settle" }
  | { readonly do: "pass" }

const who = fc.nat(sinks - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  // Some entries are bigger than a page, and than all that a tail remembers.
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      sizes: fc.array(fc.constantFrom(8, 8, 8, 300, 5_000), { minLength: 1, maxLength: 12 })
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("subscribe" as const, "leave" as const, "fill" as const, "drain" as const),
      who
    })
  },
  { weight: 3, arbitrary: fc.constantFrom({ do: "settle" as const }, { do: "pass" as const }) }
)

/** A sink and its subscription, which goes on where the last one ended. */
class Follower {
  readonly sink = new RecordingSink()
  private fiber: Fiber.Fiber<never, unknown> | undefined

  readonly leave = Effect.suspend(() => (this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)))

  subscribe(scene: Scene) {
    return Effect.flatMap(this.leave, () =>
      Effect.map(subscribe(scene, this.sink, this.sink.sequences.length + 1), (fiber) => {
        this.fiber = fiber
      })
    )
  }
}

const perform = (scene: Scene, followers: ReadonlyArray<Follower>, step: Step) => {
  if (step.do === "settle") return settle
  if (step.do === "pass") return settleLater
  if (step.do === "append") return scene.store.append(storeId, step.sizes.map(record))
  const follower = followers[step.who]!
  if (step.do === "subscribe") return follower.subscribe(scene)
  if (step.do === "leave") return follower.leave
  return Effect.sync(() => (step.do === "fill" ? follower.sink.fill() : follower.sink.drain()))
}

const inOrder = ({ sink }: Follower): void => expect(sink.sequences).toEqual(range(1, sink.sequences.length))

/** In the end everybody has everything, and nothing is left behind. */
const verify = Effect.fnUntraced(function* (scene: Scene, followers: ReadonlyArray<Follower>) {
  for (const { sink } of followers) sink.drain()
  yield* Effect.forEach(followers, (follower) => follower.subscribe(scene))
  const { head } = yield* scene.store.read(storeId, 1, { maxEntries: 1, maxBytes: 1 })
  // As long as it takes; one that misses an entry never gets there.
  for (let turn = 0; turn < 50 && followers.some(({ sink }) => sink.sequences.length < head); turn++) {
    yield* settleLater
  }
  for (const { sink } of followers) expect(sink.sequences).toEqual(range(1, head))
  yield* Effect.forEach(followers, ({ leave }) => leave)
  yield* settle
  expect([scene.feed.activeStores(), scene.listeners()]).toEqual([0, 0])
})

/** Gives everybody else a turn before and after each read, as a backend does that is not in memory. */
const yielding = (store: FeedStore["Service"]): Partial<FeedStore["Service"]> => ({
  read: (...args) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.tap(store.read(...args), () => Effect.yieldNow)
    )
})

const play = Effect.fnUntraced(
  function* (steps: ReadonlyArray<Step>, isYielding: boolean) {
    const scene = yield* makeScene({}, isYielding ? yielding : undefined)
    const followers = Array.from({ length: sinks }, () => new Follower())
    for (const step of steps) {
      yield* perform(scene, followers, step)
      followers.forEach(inOrder)
    }
    yield* verify(scene, followers)
  },
  Effect.scoped,
  Effect.provide(TestClock.layer())
)

it("every sink gets every entry once and in order, whatever appends, full sinks and cuts do", () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), fc.boolean(), (steps, isYielding) =>
      Effect.runPromise(play(steps, isYielding))
    ),
    { numRuns: runs }
  ))
