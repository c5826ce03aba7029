import { Cause, Effect } from "effect"
import { expect, it } from "vitest"
import { layerAppLogger } from "../../src/effect.ts"
import type { AppLogger } from "../../src/index.ts"

it("hands every level, text, field and cause to the app's logger", () => {
  const lines: Array<readonly [string, object, string]> = []
  const method = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message])
  const logger: AppLogger = {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error")
  }
  Effect.gen(function* () {
    yield* Effect.logInfo("started")
    yield* Effect.logWarning("waits", { attempt: 2 })
    yield* Effect.logError("failed", Cause.fail("a reason"))
    yield* Effect.logFatal("died")
  }).pipe(Effect.annotateLogs({ storeId: "store" }), Effect.provide(layerAppLogger(logger)), Effect.runSync)
  expect(lines).toEqual([
    ["info", { storeId: "store" }, "started"],
    ["warn", { storeId: "store", details: [{ attempt: 2 }] }, "waits"],
    ["error", { storeId: "store", cause: expect.stringContaining("a reason") }, "failed"],
    ["error", { storeId: "store" }, "died"]
  ])
})

it("lets nothing fail because the app's logger does", () => {
  const broken = () => {
    throw new Error("the disk is full")
  }
  const logger: AppLogger = { debug: broken, info: broken, warn: broken, error: broken }
  expect(Effect.logError("x").pipe(Effect.as(1), Effect.provide(layerAppLogger(logger)), Effect.runSync)).toBe(1)
})
