import { Effect } from "effect"
import { expect } from "vitest"
import { StoreId } from "../../backend/StoreId.ts"
import { freshName, freshStoreId, idsOf, makeRecord, makeRecords, readAll, sequencesOf } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const isolation: Topic = (check) => {
  check("numbers each store by itself", ({ node }) =>
    Effect.gen(function* () {
      const stores = [freshStoreId(), freshStoreId(), freshStoreId()]
      const records = stores.map(() => makeRecords(4))
      for (let index = 0; index < 4; index++) {
        for (const [store, storeId] of stores.entries()) {
          yield* node.feeds.append(storeId, records[store]?.slice(index, index + 1) ?? [])
        }
      }
      for (const [store, storeId] of stores.entries()) {
        const page = yield* readAll(node.feeds, storeId)
        expect(sequencesOf(page.entries)).toEqual([1, 2, 3, 4])
        expect(idsOf(page.entries)).toEqual(idsOf(records[store] ?? []))
      }
    })
  )

  check("takes the same entry id in two stores for two entries", ({ node }) =>
    Effect.gen(function* () {
      const [one, other] = [freshStoreId(), freshStoreId()]
      const record = makeRecord()
      yield* node.feeds.append(one, makeRecords(2))
      expect(yield* node.feeds.append(one, [record])).toEqual([{ sequence: 3, isNew: true }])
      expect(yield* node.feeds.append(other, [record])).toEqual([{ sequence: 1, isNew: true }])
    })
  )

  check("keeps buckets of equal names apart", ({ node }) =>
    Effect.gen(function* () {
      const [one, other] = [freshStoreId(), freshStoreId()]
      yield* node.feeds.append(one, makeRecords(2, { event: "Set", primaryKey: "a" }))
      const range = { events: ["Set"], primaryKey: "a", fromSequence: 1, toSequence: 100 }
      expect(
        yield* node.feeds.bucket(other, [range], { order: "sequence", maxEntries: 10, maxBytes: 1_000_000 })
      ).toEqual([[]])
      expect(yield* node.feeds.bucketBounds(other, [range])).toEqual([undefined])
      expect(yield* node.feeds.head(other)).toEqual({ sequence: 0, greatestId: undefined })
    })
  )

  check("tells store ids apart that a careless key would confuse", ({ node }) =>
    Effect.gen(function* () {
      const name = freshName("store")
      const ids = [name, `${name} `, `${name}:`, `${name}:1`, `${name}{x}`, `${name}%`, `${name}é`, `${name}e\u0301`]
      const stores = [...ids, name.toUpperCase(), `${name}${"x".repeat(255 - name.length)}`].map((id) =>
        StoreId.make(id)
      )
      for (const storeId of stores) yield* node.feeds.append(storeId, makeRecords(1, { author: storeId }))
      for (const storeId of stores) {
        const { entries } = yield* readAll(node.feeds, storeId)
        expect(entries.map(({ author }) => author)).toEqual([storeId])
      }
    })
  )
}
