import { heldBytes } from "@eventlog-server/testkit/heap"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { expect, it } from "vitest"
import { isLong } from "../wire/arbitraries.ts"
import { Play, type Step, steps } from "./play.ts"
import { turnOfTheLoop, watchRejections } from "./rejections.ts"

const MiB = 1024 * 1024

const play = Effect.fnUntraced(
  function* (steps: ReadonlyArray<Step>) {
    const play = yield* Play.begin
    for (const step of steps) {
      yield* play.perform(step)
      yield* play.verify
    }
    yield* play.end
  },
  Effect.scoped,
  (effect) => Effect.provide(effect, TestClock.layer())
)

it("connections hold what they may, are granted what they proved, and leave nothing, whatever their peers do", async () => {
  const unhandled = watchRejections()
  await fc.assert(
    fc.asyncProperty(steps, (steps) => Effect.runPromise(play(steps))),
    { numRuns: isLong ? 20_000 : 60 }
  )
  await turnOfTheLoop()
  expect(unhandled).toEqual([])
})

it("what hostile peers did takes no memory when they are gone", async () => {
  const [warm, ...others] = Array.from({ length: 5 }, (_, seed) =>
    fc.sample(steps, { numRuns: isLong ? 200 : 20, seed })
  )
  const run = async (all: typeof warm) => {
    for (const steps of all!) await Effect.runPromise(play(steps))
    return heldBytes()
  }
  const before = await run(warm)
  let after = before
  for (const some of others) after = await run(some)
  expect(after).toBeLessThan(before + 2 * MiB)
})
