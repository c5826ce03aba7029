import { it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { EventLogServerStoreRegistry } from "../../src/backend/EventLogServerStoreRegistry.ts"
import { freshName, freshStoreId } from "../../src/conformance/fixtures.ts"
import { layerStoreRegistryMemory } from "../../src/effect.ts"

it.effect("a registry in memory starts empty with each build", () => {
  const [publicKey, storeId] = [freshName("key"), freshStoreId()]
  const run = Effect.gen(function* () {
    const registry = yield* EventLogServerStoreRegistry
    expect(yield* registry.list({ limit: 10 })).toEqual([])
    yield* registry.assign({ publicKey, storeId })
    expect(yield* registry.resolve(publicKey)).toBe(storeId)
  }).pipe(Effect.provide(layerStoreRegistryMemory, { local: true }))
  return Effect.andThen(run, run)
})
