import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { freshStoreId, makeRecord, makeRecords } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

/** A UUID of version 7 that differs from others in its first and its last byte: careless orders take 0x80 for less. */
const idOf = (first: number, last: number): EventJournal.EntryId =>
  Uint8Array.of(first, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, last) as EventJournal.EntryId

export const head: Topic = (check) => {
  check("returns the last sequence and the greatest id, whatever was appended last and what for", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      let greatestId = idOf(0x01, 0x7f)
      yield* node.feeds.append(storeId, [
        makeRecord({ id: idOf(0x01, 0x7e), event: "Set" }),
        makeRecord({ id: greatestId, event: "Set" }),
        makeRecord({ id: idOf(0x00, 0xff), event: "Cleared" })
      ])
      expect(yield* peer.feeds.head(storeId)).toEqual({ sequence: 3, greatestId })
      yield* peer.feeds.append(storeId, [makeRecord({ id: idOf(0x01, 0x00), event: "Set" })])
      expect(yield* node.feeds.head(storeId)).toEqual({ sequence: 4, greatestId })
      greatestId = idOf(0x01, 0x80)
      yield* peer.feeds.append(storeId, [makeRecord({ id: greatestId, event: "Other", transportOnly: true })])
      expect(yield* node.feeds.head(storeId)).toEqual({ sequence: 5, greatestId })
      greatestId = idOf(0x80, 0x01)
      yield* node.feeds.append(storeId, [makeRecord({ id: greatestId, event: "Set" })])
      expect(yield* peer.feeds.head(storeId)).toEqual({ sequence: 6, greatestId })
    })
  )

  check("is 0, and has no id, for a store that has no entries", ({ node }) =>
    Effect.gen(function* () {
      expect(yield* node.feeds.head(freshStoreId())).toEqual({ sequence: 0, greatestId: undefined })
    })
  )

  check("counts what was appended, and repeats not", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = makeRecords(3)
      yield* node.feeds.append(storeId, records)
      yield* node.feeds.append(storeId, records)
      expect((yield* peer.feeds.head(storeId)).sequence).toBe(3)
    })
  )
}
