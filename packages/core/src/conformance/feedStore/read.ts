import { Effect } from "effect"
import { expect } from "vitest"
import { contents, freshStoreId, makeRecord, makeRecords, range, readAll, sequencesOf, wholeFeed } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const read: Topic = (check) => {
  check("answers an empty page for a store that has no entries", ({ node }) =>
    Effect.gen(function* () {
      expect(yield* node.feeds.read(freshStoreId(), 1, wholeFeed)).toEqual({ entries: [], head: 0 })
    })
  )

  check("begins at the sequence asked for, inclusive", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(5))
      for (const from of range(1, 5)) {
        const page = yield* node.feeds.read(storeId, from, wholeFeed)
        expect(sequencesOf(page.entries)).toEqual(range(from, 5))
      }
    })
  )

  check("tells the head beside every page, also beyond the last entry", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(5))
      expect((yield* node.feeds.read(storeId, 2, { maxEntries: 1, maxBytes: 1_000 })).head).toBe(5)
      expect(yield* node.feeds.read(storeId, 6, wholeFeed)).toEqual({ entries: [], head: 5 })
      expect(yield* node.feeds.read(storeId, Number.MAX_SAFE_INTEGER, wholeFeed)).toEqual({ entries: [], head: 5 })
    })
  )

  check("bounds a page by its number of entries", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(7))
      const limits = { maxEntries: 3, maxBytes: 1_000_000 }
      expect(sequencesOf((yield* node.feeds.read(storeId, 1, limits)).entries)).toEqual([1, 2, 3])
      expect(sequencesOf((yield* node.feeds.read(storeId, 4, limits)).entries)).toEqual([4, 5, 6])
      expect(sequencesOf((yield* node.feeds.read(storeId, 7, limits)).entries)).toEqual([7])
    })
  )

  check("bounds a page by the bytes of payload, event and primary key", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      // 4 + 3 + 13 bytes each.
      const record = { event: "Set!", primaryKey: "abc", payload: new Uint8Array(13) }
      yield* node.feeds.append(storeId, makeRecords(6, record))
      const page = (maxBytes: number) => node.feeds.read(storeId, 1, { maxEntries: 100, maxBytes })
      expect(sequencesOf((yield* page(39)).entries)).toEqual([1])
      expect(sequencesOf((yield* page(40)).entries)).toEqual([1, 2])
      expect(sequencesOf((yield* page(59)).entries)).toEqual([1, 2])
      expect(sequencesOf((yield* page(60)).entries)).toEqual([1, 2, 3])
    })
  )

  check("hands out one entry at least, whatever its size, and never skips one", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const sizes = [10, 5_000, 10, 10, 5_000, 5_000]
      yield* node.feeds.append(
        storeId,
        sizes.map((size) => makeRecord({ payload: new Uint8Array(size) }))
      )
      const seen: Array<number> = []
      while (seen.length < sizes.length) {
        const page = yield* node.feeds.read(storeId, seen.length + 1, { maxEntries: 100, maxBytes: 100 })
        expect(page.entries.length).toBeGreaterThan(0)
        seen.push(...sequencesOf(page.entries))
      }
      expect(seen).toEqual(range(1, sizes.length))
    })
  )

  check("hands out bytes that belong to the caller", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(3)
      yield* node.feeds.append(storeId, records)
      for (const { entry } of (yield* readAll(node.feeds, storeId)).entries) {
        entry.id.fill(0)
        entry.payload.fill(0)
      }
      expect((yield* readAll(node.feeds, storeId)).entries.map(contents)).toEqual(records.map(contents))
    })
  )
}
