import { describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { expect } from "vitest"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import { freshStoreId } from "../../src/conformance/fixtures.ts"
import { memoryProgress } from "../../src/memory/storeProgress.ts"

describe("memoryProgress", () => {
  it.effect("starts over with each build", () => {
    const storeId = freshStoreId()
    const run = Effect.gen(function* () {
      const progress = yield* StoreProgress
      const lease = yield* progress.lease(storeId)
      if (Option.isNone(lease)) return yield* Effect.die("not taken")
      expect(lease.value.cursor).toBe(0)
      yield* lease.value.advance(5)
      expect(yield* progress.cursors([storeId])).toEqual([5])
    }).pipe(Effect.scoped, Effect.provide(memoryProgress, { local: true }))
    return Effect.andThen(run, run)
  })
})
