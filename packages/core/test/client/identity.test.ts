import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { EventLog } from "effect/eventlog"
import { generateIdentity, IdentityError, layerIdentity, loadIdentity } from "../../src/client/index.ts"

/** What `localStorage` is, and one whose calls are asynchronous. */
const storages = {
  synchronous: (items: Map<string, string>) => ({
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value)
  }),
  asynchronous: (items: Map<string, string>) => ({
    getItem: async (key: string) => items.get(key) ?? null,
    setItem: async (key: string, value: string) => void items.set(key, value)
  })
}

describe("an identity", () => {
  it.effect("is random", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* generateIdentity, yield* generateIdentity]
      assert.notStrictEqual(a.publicKey, b.publicKey)
      assert.notDeepEqual(Redacted.value(a.privateKey), Redacted.value(b.privateKey))
      assert.strictEqual(Redacted.value(a.privateKey).length, 32)
    })
  )

  it.effect.each(["synchronous", "asynchronous"] as const)("is kept in a %s storage and loaded again", (kind) =>
    Effect.gen(function* () {
      const items = new Map<string, string>()
      const storage = storages[kind](items)
      const first = yield* loadIdentity({ storage })
      assert.deepStrictEqual([...items.keys()], ["eventlog-identity"])
      const again = yield* Effect.provide(EventLog.Identity, layerIdentity({ storage }))
      assert.strictEqual(again.publicKey, first.publicKey)
      assert.deepStrictEqual(Redacted.value(again.privateKey), Redacted.value(first.privateKey))
      const other = yield* loadIdentity({ storage, key: "other" })
      assert.notStrictEqual(other.publicKey, first.publicKey)
    })
  )

  it.effect("is never replaced when what is kept can't be read", () =>
    Effect.gen(function* () {
      const items = new Map([["eventlog-identity", "garbage"]])
      const error = yield* Effect.flip(loadIdentity({ storage: storages.synchronous(items) }))
      assert.instanceOf(error, IdentityError)
      assert.strictEqual(items.get("eventlog-identity"), "garbage")
    })
  )

  it.effect("that can't be kept is an error", () =>
    Effect.gen(function* () {
      const storage = {
        getItem: () => null,
        setItem: () => {
          throw new Error("QuotaExceededError")
        }
      }
      assert.instanceOf(yield* Effect.flip(loadIdentity({ storage })), IdentityError)
    })
  )
})
