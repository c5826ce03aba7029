import { Effect, Option } from "effect"
import { expect } from "vitest"
import type { StoreHead } from "../../backend/FeedAdmin.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, knownAt, makeRecords } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

const pageThrough = Effect.fnUntraced(function* ({ admin }: Node, limit: number) {
  const heads: Array<StoreHead> = []
  let after: StoreId | undefined
  while (true) {
    const page = yield* admin.heads(after, limit)
    expect(page.length).toBeLessThanOrEqual(limit)
    heads.push(...page)
    after = page.at(-1)?.storeId
    if (after === undefined) return heads
  }
})

export const heads: Topic = (check) => {
  check("pages through every store that has entries, once", ({ node, peer }) =>
    Effect.gen(function* () {
      const sizes = new Map([1, 2, 3, 4, 5].map((size) => [freshStoreId(), size]))
      for (const [storeId, size] of sizes) yield* node.feeds.append(storeId, makeRecords(size))
      for (const limit of [1, 2, 100]) {
        const found = (yield* pageThrough(peer, limit)).filter(({ storeId }) => sizes.has(storeId))
        expect(found).toHaveLength(sizes.size)
        expect(new Map(found.map(({ head, storeId }) => [storeId, head]))).toEqual(sizes)
        expect(found.every(({ processed }) => processed === 0)).toBe(true)
      }
    })
  )

  check("tells how far each store is processed", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      const lease = yield* node.progress.lease(storeId)
      if (Option.isNone(lease)) return yield* Effect.die("not taken")
      yield* lease.value.advance(yield* knownAt(node.feeds, storeId, 2))
      const found = (yield* pageThrough(peer, 100)).find((head) => head.storeId === storeId)
      expect(found).toEqual({ storeId, head: 3, processed: 2 })
    })
  )

  check("keeps its order", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeIds = [freshStoreId(), freshStoreId(), freshStoreId()]
      for (const storeId of storeIds) yield* node.feeds.append(storeId, makeRecords(1))
      const order = (heads: ReadonlyArray<StoreHead>) =>
        heads.map(({ storeId }) => storeId).filter((storeId) => storeIds.includes(storeId))
      expect(order(yield* pageThrough(peer, 1))).toEqual(order(yield* pageThrough(node, 2)))
    })
  )

  check("leaves out stores that were only asked for", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, [])
      yield* node.feeds.read(storeId, 1, { maxEntries: 1, maxBytes: 1 })
      yield* node.progress.lease(storeId)
      const found = yield* pageThrough(node, 100)
      expect(found.map((head) => head.storeId)).not.toContain(storeId)
    })
  )
}
