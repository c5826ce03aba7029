import { Effect } from "effect"
import { expect } from "vitest"
import { freshStoreId, idsOf, makeRecords, range, readAll, sequencesOf } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

/** Reads pages until the head is `head`, and fails where a page doesn't go on from the last one. */
const watchUntil = Effect.fnUntraced(function* (
  { feeds }: Node,
  storeId: ReturnType<typeof freshStoreId>,
  head: number
) {
  let next = 1
  while (next <= head) {
    const page = yield* feeds.read(storeId, next, { maxEntries: 7, maxBytes: 1_000_000 })
    expect(sequencesOf(page.entries)).toEqual(range(next, next + page.entries.length - 1))
    expect(page.head).toBeGreaterThanOrEqual(next + page.entries.length - 1)
    next += page.entries.length
    yield* Effect.sleep(1)
  }
})

export const concurrency: Topic = (check) => {
  check("linearizes appends of many writers on two nodes", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const batches = Array.from({ length: 64 * scale }, () => makeRecords(3))
      const answers = yield* Effect.forEach(
        batches,
        (batch, index) => (index % 2 === 0 ? node : peer).feeds.append(storeId, batch),
        { concurrency: "unbounded" }
      )
      const page = yield* readAll(node.feeds, storeId)
      expect(sequencesOf(page.entries)).toEqual(range(1, batches.length * 3))
      const ids = idsOf(page.entries)
      for (const [index, answer] of answers.entries()) {
        const first = answer[0]?.sequence ?? 0
        expect(answer).toEqual(range(first, first + 2).map((sequence) => ({ sequence, isNew: true })))
        expect(ids.slice(first - 1, first + 2)).toEqual(idsOf(batches[index] ?? []))
      }
    })
  )

  check("stores an entry once that many writers send at once", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 4 * scale; round++) {
        const storeId = freshStoreId()
        const records = makeRecords(5)
        const answers = yield* Effect.forEach(
          range(1, 16),
          (index) => (index % 2 === 0 ? node : peer).feeds.append(storeId, records),
          { concurrency: "unbounded" }
        )
        expect(answers.flat().filter(({ isNew }) => isNew)).toHaveLength(5)
        for (const answer of answers) expect(answer.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
        expect((yield* readAll(node.feeds, storeId)).head).toBe(5)
      }
    })
  )

  check("never shows n+1 to a reader before it could see n", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const batches = Array.from({ length: 64 * scale }, (_, index) => makeRecords(1 + (index % 3)))
      const writers = Effect.forEach(
        batches,
        (batch, index) => Effect.delay((index % 2 === 0 ? node : peer).feeds.append(storeId, batch), index % 16),
        { concurrency: 16 }
      )
      const head = batches.reduce((sum, batch) => sum + batch.length, 0)
      yield* Effect.all([writers, watchUntil(node, storeId, head), watchUntil(peer, storeId, head)], {
        concurrency: "unbounded"
      })
    })
  )
}
