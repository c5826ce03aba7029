import { Effect } from "effect"
import { expect } from "vitest"
import type { KeyMapping } from "../../backend/EventLogServerStoreRegistry.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshName, freshStoreId } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

const pageThrough = Effect.fnUntraced(function* ({ registry }: Node, limit: number, storeId?: StoreId) {
  const mappings: Array<KeyMapping> = []
  let after: string | undefined
  while (true) {
    const page = yield* registry.list({ storeId, after, limit })
    expect(page.length).toBeLessThanOrEqual(limit)
    mappings.push(...page)
    after = page.at(-1)?.publicKey
    if (after === undefined) return mappings
  }
})

export const listing: Topic = (check) => {
  check("pages through every mapped key, once", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const prefix = freshName("key")
      const names = ["a", "B", "b", "é", "z ", "z", "🔑"].map((suffix) => prefix + suffix)
      for (const publicKey of names) yield* node.registry.assign({ publicKey, storeId })
      for (const limit of [1, 3, 1_000]) {
        const own = (yield* pageThrough(peer, limit)).filter((mapping) => mapping.storeId === storeId)
        expect(own.map(({ publicKey }) => publicKey).sort()).toEqual([...names].sort())
      }
    })
  )

  check("leaves out removed keys, and goes on after one that was removed meanwhile", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const names = [freshName("key"), freshName("key"), freshName("key")]
      for (const publicKey of names) yield* node.registry.assign({ publicKey, storeId })
      const order = (yield* pageThrough(node, 1)).filter((mapping) => mapping.storeId === storeId)
      const [first, second, third] = order.map(({ publicKey }) => publicKey)
      yield* node.registry.remove(first ?? "")
      const rest = (yield* peer.registry.list({ after: first, limit: 1_000 })).filter(
        (mapping) => mapping.storeId === storeId
      )
      expect(rest.map(({ publicKey }) => publicKey)).toEqual([second, third])
      const all = (yield* pageThrough(peer, 2)).filter((mapping) => mapping.storeId === storeId)
      expect(all.map(({ publicKey }) => publicKey)).toEqual([second, third])
    })
  )

  check("pages through the keys of a store alone, as through all", ({ node, peer }) =>
    Effect.gen(function* () {
      const [storeId, other, empty] = [freshStoreId(), freshStoreId(), freshStoreId()]
      const prefix = freshName("key")
      const names = ["b", "B", "a", "é", "🔑"].map((suffix) => prefix + suffix)
      for (const publicKey of names) {
        yield* node.registry.assign({ publicKey, storeId })
        yield* node.registry.enroll({
          publicKey: `${publicKey} of another`,
          storeId: other,
          signingPublicKey: new Uint8Array(32)
        })
      }
      yield* node.registry.remove(names[0]!)
      const all = (yield* pageThrough(peer, 100)).filter((mapping) => mapping.storeId === storeId)
      expect(all).toHaveLength(4)
      for (const limit of [1, 3, 100]) expect(yield* pageThrough(peer, limit, storeId)).toEqual(all)
      expect(yield* pageThrough(peer, 2, other)).toHaveLength(5)
      expect(yield* pageThrough(node, 10, empty)).toEqual([])
      yield* peer.registry.assign({ publicKey: names[0]!, storeId })
      expect(yield* pageThrough(node, 2, storeId)).toHaveLength(5)
    })
  )
}
