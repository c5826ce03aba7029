import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { contents, freshStoreId, idsOf, makeRecord, makeRecords, readAll } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const sameId = (record: ReturnType<typeof makeRecord>) => ({
  id: record.entry.id.slice() as EventJournal.EntryId
})

export const idempotency: Topic = (check) => {
  check("answers the first sequence for a batch that is sent again, to any node", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(3)
      const first = yield* node.feeds.append(storeId, records)
      const again = first.map(({ sequence }) => ({ sequence, isNew: false }))
      expect(yield* node.feeds.append(storeId, records)).toEqual(again)
      expect(yield* peer.feeds.append(storeId, records)).toEqual(again)
      expect((yield* readAll(node.feeds, storeId)).head).toBe(3)
    })
  )

  check("answers one slot for each copy of an entry within a batch", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const [a, b] = [makeRecord(), makeRecord()]
      expect(yield* node.feeds.append(storeId, [a, b, a, b, a])).toEqual([
        { sequence: 1, isNew: true },
        { sequence: 2, isNew: true },
        { sequence: 1, isNew: false },
        { sequence: 2, isNew: false },
        { sequence: 1, isNew: false }
      ])
      expect(idsOf((yield* readAll(node.feeds, storeId)).entries)).toEqual(idsOf([a, b]))
    })
  )

  check("appends only what is missing of a batch that overlaps earlier ones", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(15)
      const pick = (...indices: ReadonlyArray<number>) => indices.flatMap((index) => records.slice(index, index + 1))
      yield* node.feeds.append(storeId, pick(1, 3, 7))
      expect(yield* peer.feeds.append(storeId, pick(2, 7, 14))).toEqual([
        { sequence: 4, isNew: true },
        { sequence: 3, isNew: false },
        { sequence: 5, isNew: true }
      ])
      expect(yield* node.feeds.append(storeId, pick(14, 0, 1))).toEqual([
        { sequence: 5, isNew: false },
        { sequence: 6, isNew: true },
        { sequence: 1, isNew: false }
      ])
      expect(idsOf((yield* readAll(node.feeds, storeId)).entries)).toEqual(idsOf(pick(1, 3, 7, 2, 14, 0)))
    })
  )

  check("keeps the first copy's author, kind and contents", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const first = makeRecord({ author: "first", transportOnly: true })
      const later = makeRecord({ ...sameId(first), author: null, transportOnly: false, event: "Other" })
      yield* node.feeds.append(storeId, [first])
      yield* node.feeds.append(storeId, [later])
      expect((yield* readAll(node.feeds, storeId)).entries.map(contents)).toEqual([contents(first)])

      const other = freshStoreId()
      yield* node.feeds.append(other, [first, later])
      expect((yield* readAll(node.feeds, other)).entries.map(contents)).toEqual([contents(first)])
    })
  )

  check("tells ids apart that differ in a single byte", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const id = EventJournal.makeEntryIdUnsafe()
      const ids = Array.from({ length: 16 }, (_, index) => {
        const other = id.slice()
        other[index] = (other[index] ?? 0) ^ 1
        return other as EventJournal.EntryId
      })
      const records = [id, ...ids].map((id) => makeRecord({ id }))
      yield* node.feeds.append(storeId, records)
      expect(idsOf((yield* readAll(node.feeds, storeId)).entries)).toEqual(idsOf(records))
    })
  )
}
