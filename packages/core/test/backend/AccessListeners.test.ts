import { describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { expect } from "vitest"
import { AccessListeners } from "../../src/backend/AccessListeners.ts"
import { range } from "../../src/conformance/fixtures.ts"

const tellKeys = (listeners: AccessListeners, count: number) => {
  for (const number of range(1, count)) listeners.tell({ publicKey: `key ${number}` })
}

/** Listens, and returns the pull for what comes after the first note. */
const listen = (listeners: AccessListeners) =>
  Effect.tap(Stream.toPull(listeners.changes), (pull) => Effect.map(pull, (first) => expect(first).toEqual(["any"])))

describe("listeners of access", () => {
  it.effect("get the keys that changed, in order, each once", () =>
    Effect.gen(function* () {
      const listeners = new AccessListeners()
      const pull = yield* listen(listeners)
      for (const publicKey of ["a", "b", "a"]) listeners.tell({ publicKey })
      expect(yield* pull).toEqual([{ publicKey: "a" }, { publicKey: "b" }])
      listeners.tell({ publicKey: "a" })
      expect(yield* pull).toEqual([{ publicKey: "a" }])
    })
  )

  it.effect("get any in place of more keys than may wait, and keys again afterwards", () =>
    Effect.gen(function* () {
      const listeners = new AccessListeners()
      const pull = yield* listen(listeners)
      tellKeys(listeners, 256)
      expect(yield* pull).toHaveLength(256)
      tellKeys(listeners, 10_000)
      expect(yield* pull).toEqual(["any"])
      tellKeys(listeners, 1)
      expect(yield* pull).toEqual([{ publicKey: "key 1" }])
    })
  )

  it.effect("get any in place of keys that wait beside it", () =>
    Effect.gen(function* () {
      const listeners = new AccessListeners()
      const pull = yield* listen(listeners)
      tellKeys(listeners, 1)
      listeners.tell("any")
      tellKeys(listeners, 2)
      expect(yield* pull).toEqual(["any"])
    })
  )

  it.effect("keep nobody waiting when one of them is slow", () =>
    Effect.gen(function* () {
      const listeners = new AccessListeners()
      yield* listen(listeners)
      const fast = yield* listen(listeners)
      tellKeys(listeners, 1_000)
      expect(yield* fast).toEqual(["any"])
      tellKeys(listeners, 1)
      expect(yield* fast).toEqual([{ publicKey: "key 1" }])
    })
  )

  it.effect("are heard while there is one", () =>
    Effect.gen(function* () {
      const listeners = new AccessListeners()
      const isHeard = Effect.raceFirst(Effect.as(listeners.heard, true), Effect.as(Effect.yieldNow, false))
      expect(yield* isHeard).toBe(false)
      const scopes = [yield* Scope.make(), yield* Scope.make()] as const
      for (const scope of scopes) yield* Scope.provide(listen(listeners), scope)
      yield* Scope.close(scopes[0], Exit.void)
      expect(yield* isHeard).toBe(true)
      yield* Scope.close(scopes[1], Exit.void)
      expect(yield* isHeard).toBe(false)
    })
  )
})
