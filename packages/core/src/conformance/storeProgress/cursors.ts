import { Effect, Option } from "effect"
import { expect } from "vitest"
import { freshStoreId, knownAt, makeRecords, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const cursors: Topic = (check) => {
  check("answers in the order asked, 0 where nothing was processed", ({ node, peer }) =>
    Effect.gen(function* () {
      const [a, b, unknown] = [freshStoreId(), freshStoreId(), freshStoreId()]
      for (const [storeId, sequence] of [
        [a, 3],
        [b, 8]
      ] as const) {
        yield* node.feeds.append(storeId, makeRecords(sequence))
        const lease = yield* node.progress.lease(storeId)
        if (Option.isNone(lease)) return yield* Effect.die("not taken")
        yield* lease.value.advance(yield* knownAt(node.feeds, storeId, sequence))
      }
      expect(yield* peer.progress.cursors([b, unknown, a, b])).toEqual([8, 0, 3, 8])
      expect(yield* peer.progress.cursors([])).toEqual([])
    })
  )

  check("answers for a thousand stores at once", ({ node }) =>
    Effect.gen(function* () {
      const storeIds = range(1, 1_000).map(freshStoreId)
      expect(yield* node.progress.cursors(storeIds)).toEqual(storeIds.map(() => 0))
    })
  )
}
