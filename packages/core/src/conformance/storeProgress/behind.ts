import { Effect, Option } from "effect"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, knownAt, makeRecords, range } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

/** Every store that is behind, page by page. */
const pageThrough = Effect.fnUntraced(function* ({ progress }: Node, limit: number) {
  const found: Array<StoreId> = []
  let after: StoreId | undefined
  while (true) {
    const page = yield* progress.behind(after, limit)
    expect(page.length).toBeLessThanOrEqual(limit)
    found.push(...page)
    if (page.length < limit) return found
    after = page.at(-1)
  }
})

const advance = Effect.fnUntraced(function* ({ feeds, progress }: Node, storeId: StoreId, sequence: number) {
  const lease = yield* progress.lease(storeId)
  if (Option.isNone(lease)) return yield* Effect.die("not taken")
  yield* lease.value.advance(yield* knownAt(feeds, storeId, sequence))
}, Effect.scoped)

export const behind: Topic = (check) => {
  check("lists the stores that have something to do, each once, whatever the size of a page", ({ node, peer }) =>
    Effect.gen(function* () {
      const stores = range(1, 7).map(freshStoreId)
      for (const storeId of stores) yield* node.feeds.append(storeId, makeRecords(3))
      const [done, partly, ...untouched] = stores as [StoreId, StoreId, ...Array<StoreId>]
      yield* advance(node, done, 3)
      yield* advance(peer, partly, 2)
      for (const limit of [1, 3, 1_000]) {
        const found = (yield* pageThrough(peer, limit)).filter((storeId) => stores.includes(storeId))
        expect(found.toSorted()).toEqual([partly, ...untouched].toSorted())
      }
      yield* advance(node, partly, 3)
      expect(yield* pageThrough(node, 100)).not.toContain(partly)
    })
  )

  check("lists a store again that got another entry", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      for (let sequence = 1; sequence <= 3; sequence++) {
        yield* node.feeds.append(storeId, makeRecords(1))
        expect(yield* pageThrough(peer, 100)).toContain(storeId)
        yield* advance(peer, storeId, sequence)
        expect(yield* pageThrough(node, 100)).not.toContain(storeId)
      }
    })
  )

  check("leaves out erased stores, and those that have no entries", ({ node }) =>
    Effect.gen(function* () {
      const [erased, empty] = [freshStoreId(), freshStoreId()]
      yield* node.feeds.append(erased, makeRecords(2))
      yield* node.admin.erase(erased)
      yield* node.feeds.append(empty, [])
      yield* Effect.scoped(node.progress.lease(empty))
      const found = yield* pageThrough(node, 100)
      expect(found).not.toContain(erased)
      expect(found).not.toContain(empty)
    })
  )
}
