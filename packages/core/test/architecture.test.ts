import { Session } from "node:inspector/promises"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { makeScene } from "./connection/harness.ts"
import { makeSigningKey } from "./server/device.ts"
import { todoAdded } from "./server/todos.ts"

const sources = fileURLToPath(new URL("../src/", import.meta.url))

/** The files of core in which something was called meanwhile, as the engine counts it. */
const filesCrossed = Effect.fnUntraced(function* (session: Session, work: Effect.Effect<unknown>) {
  yield* Effect.promise(() => session.post("Profiler.takePreciseCoverage"))
  yield* work
  const { result } = yield* Effect.promise(() => session.post("Profiler.takePreciseCoverage"))
  return result
    .filter(({ functions }) =>
      functions.some(({ functionName, ranges }) => functionName !== "" && ranges[0]!.count > 0)
    )
    .map(({ url }) => url.replace(/^file:\/\//, ""))
    .filter((path) => path.startsWith(sources))
    .map((path) => path.slice(sources.length))
    .sort()
})

const observing = Effect.acquireRelease(
  Effect.promise(async () => {
    const session = new Session()
    session.connect()
    await session.post("Profiler.enable")
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })
    return session
  }),
  (session) => Effect.sync(() => session.disconnect())
)

describe("the way of a write", () => {
  it.effect("is the one of the documentation", () =>
    Effect.gen(function* () {
      const session = yield* observing
      const scene = yield* makeScene({ sessionAuth: "required" })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      yield* wire.prove("A", makeSigningKey())
      const write = Effect.suspend(() => wire.answer(wire.write([todoAdded("a")])))
      yield* write
      const files = yield* filesCrossed(session, write)
      expect(files.length).toBeLessThan(14)
    })
  )
})
