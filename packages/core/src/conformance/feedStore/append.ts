import { Effect } from "effect"
import { expect } from "vitest"
import { contents, freshStoreId, makeRecord, makeRecords, range, readAll, sequencesOf } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const append: Topic = (check) => {
  check("numbers the entries of a store from 1, without gaps, in the order given", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(5)
      expect(yield* node.feeds.append(storeId, records.slice(0, 2))).toEqual([
        { sequence: 1, isNew: true },
        { sequence: 2, isNew: true }
      ])
      expect(yield* peer.feeds.append(storeId, records.slice(2))).toEqual([
        { sequence: 3, isNew: true },
        { sequence: 4, isNew: true },
        { sequence: 5, isNew: true }
      ])
      const page = yield* readAll(peer.feeds, storeId)
      expect(sequencesOf(page.entries)).toEqual(range(1, 5))
      expect(page.entries.map(contents)).toEqual(records.map(contents))
    })
  )

  check("numbers entries whose ids are out of order as they come", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(4).toReversed()
      yield* node.feeds.append(storeId, records)
      expect((yield* readAll(node.feeds, storeId)).entries.map(contents)).toEqual(records.map(contents))
    })
  )

  check("keeps every field as it was given", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = [
        makeRecord({ author: null, transportOnly: true, payload: new Uint8Array(0) }),
        makeRecord({ author: "", event: "Grüße, 世界", primaryKey: "clé 🔑" }),
        makeRecord({ author: "键", event: "a".repeat(255), primaryKey: "k".repeat(1_000) }),
        makeRecord({ primaryKey: "", payload: Uint8Array.from({ length: 256 }, (_, byte) => byte) }),
        makeRecord({ primaryKey: "trailing space " }),
        makeRecord({ primaryKey: "Trailing Space" })
      ]
      yield* node.feeds.append(storeId, records)
      expect((yield* readAll(peer.feeds, storeId)).entries.map(contents)).toEqual(records.map(contents))
    })
  )

  check("keeps a payload of a megabyte", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const payload = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => index * 31)
      yield* node.feeds.append(storeId, [makeRecord({ payload })])
      const [stored] = (yield* readAll(node.feeds, storeId)).entries
      expect(stored?.entry.payload.byteLength).toBe(payload.byteLength)
      expect(stored?.entry.payload.every((byte, index) => byte === payload[index])).toBe(true)
    })
  )

  for (const count of [1, 3]) {
    check(`keeps empty payloads, where all of ${count} are empty`, ({ node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        const records = makeRecords(count, { payload: new Uint8Array(0) })
        yield* node.feeds.append(storeId, records)
        expect((yield* readAll(peer.feeds, storeId)).entries.map(contents)).toEqual(records.map(contents))
      })
    )
  }

  check("neither changes the bytes it is given nor depends on them later", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      // A view into a bigger buffer, as a message codec would hand out.
      const payload = Uint8Array.from([9, 1, 2, 3, 9]).subarray(1, 4)
      yield* node.feeds.append(storeId, [makeRecord({ payload })])
      expect(Array.from(payload)).toEqual([1, 2, 3])
      payload.fill(0)
      expect((yield* readAll(node.feeds, storeId)).entries.map(contents)).toMatchObject([{ payload: [1, 2, 3] }])
    })
  )

  check("answers an empty append and stores nothing", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      expect(yield* node.feeds.append(storeId, [])).toEqual([])
      expect(yield* readAll(node.feeds, storeId)).toEqual({ entries: [], head: 0 })
    })
  )
}
