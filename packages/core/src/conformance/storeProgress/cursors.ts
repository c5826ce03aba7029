import { Effect, Option } from "effect"
import { expect } from "vitest"
import { freshStoreId, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const cursors: Topic = (check) => {
  check("answers in the order asked, 0 where nothing was processed", ({ node, peer }) =>
    Effect.gen(function* () {
      const [a, b, unknown] = [freshStoreId(), freshStoreId(), freshStoreId()]
      for (const [storeId, sequence] of [
        [a, 3],
        [b, 8]
      ] as const) {
        const lease = yield* node.progress.lease(storeId)
        yield* Option.isSome(lease) ? lease.value.advance(sequence) : Effect.die("not taken")
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
