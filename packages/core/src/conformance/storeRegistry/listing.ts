import { Effect } from "effect"
import { expect } from "vitest"
import type { KeyMapping } from "../../backend/EventLogServerStoreRegistry.ts"
import { freshName, freshStoreId } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

const pageThrough = Effect.fnUntraced(function* ({ registry }: Node, limit: number) {
  const mappings: Array<KeyMapping> = []
  let after: string | undefined
  while (true) {
    const page = yield* registry.list(after, limit)
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
      const rest = (yield* peer.registry.list(first, 1_000)).filter((mapping) => mapping.storeId === storeId)
      expect(rest.map(({ publicKey }) => publicKey)).toEqual([second, third])
      const all = (yield* pageThrough(peer, 2)).filter((mapping) => mapping.storeId === storeId)
      expect(all.map(({ publicKey }) => publicKey)).toEqual([second, third])
    })
  )
}
