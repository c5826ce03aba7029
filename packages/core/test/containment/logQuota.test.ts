import { describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { linesPerSecond, makeLogQuota } from "../../src/containment/logQuota.ts"

const makeLines = () => {
  const lines: Array<{ readonly text: string; readonly annotations: object }> = []
  const logger = Logger.make(({ fiber, message }) => {
    lines.push({ text: String(message), annotations: fiber.getRef(References.CurrentLogAnnotations) })
  })
  return { lines, layer: Logger.layer([logger]) }
}

const failure = Effect.annotateLogs(Effect.logError("failed"), { storeId: "store" })

const logTimes = (quota: { readonly log: (line: Effect.Effect<void>) => Effect.Effect<void> }, times: number) =>
  Effect.annotateLogs(Effect.repeat(quota.log(failure), { times: times - 1 }), { sequence: 1 })

describe("a log quota", () => {
  it.effect("logs so many lines a second, then how many it left out, once", () => {
    const { layer, lines } = makeLines()
    return Effect.gen(function* () {
      const quota = yield* makeLogQuota("failures")
      yield* logTimes(quota, 1_000)
      expect(lines).toHaveLength(linesPerSecond)
      yield* TestClock.adjust("1 second")
      expect(lines.slice(linesPerSecond)).toEqual([
        { text: `${1_000 - linesPerSecond} more failures were not logged`, annotations: {} }
      ])
      yield* logTimes(quota, linesPerSecond)
      yield* TestClock.adjust("10 seconds")
      expect(lines).toHaveLength(2 * linesPerSecond + 1)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("counts anew in each second, and tells each count", () => {
    const { layer, lines } = makeLines()
    return Effect.gen(function* () {
      const quota = yield* makeLogQuota("failures")
      for (const left of [1, 2]) {
        yield* logTimes(quota, linesPerSecond + left)
        yield* TestClock.adjust("1 second")
        expect(lines.at(-1)?.text).toBe(`${left} more failures were not logged`)
      }
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("tells what it left out when it closes, though the logger fails", () => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => {
      told.push(String(message))
      throw new Error("the disk is full")
    })
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const quota = yield* Scope.provide(makeLogQuota("failures"), scope)
      yield* Effect.repeat(Effect.exit(quota.log(failure)), { times: linesPerSecond + 4 })
      yield* Scope.close(scope, Exit.void)
      expect(told.at(-1)).toBe("5 more failures were not logged")
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
