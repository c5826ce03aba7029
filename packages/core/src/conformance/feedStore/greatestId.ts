import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { freshStoreId, makeRecord } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

/** A UUID of version 7 that differs from others in its first and its last byte: careless orders take 0x80 for less. */
const idOf = (first: number, last: number): EventJournal.EntryId =>
  Uint8Array.of(first, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, last) as EventJournal.EntryId

export const greatestId: Topic = (check) => {
  check("answers the greatest id, whatever was appended last and what for", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      let greatest = idOf(0x01, 0x7f)
      yield* node.feeds.append(storeId, [
        makeRecord({ id: idOf(0x01, 0x7e), event: "Set" }),
        makeRecord({ id: greatest, event: "Set" }),
        makeRecord({ id: idOf(0x00, 0xff), event: "Cleared" })
      ])
      expect(yield* peer.feeds.greatestId(storeId)).toEqual(greatest)
      yield* peer.feeds.append(storeId, [makeRecord({ id: idOf(0x01, 0x00), event: "Set" })])
      expect(yield* node.feeds.greatestId(storeId)).toEqual(greatest)
      greatest = idOf(0x01, 0x80)
      yield* peer.feeds.append(storeId, [makeRecord({ id: greatest, event: "Other", transportOnly: true })])
      expect(yield* node.feeds.greatestId(storeId)).toEqual(greatest)
      greatest = idOf(0x80, 0x01)
      yield* node.feeds.append(storeId, [makeRecord({ id: greatest, event: "Set" })])
      expect(yield* peer.feeds.greatestId(storeId)).toEqual(greatest)
    })
  )

  check("answers for a store that has no entries", ({ node }) =>
    Effect.gen(function* () {
      expect(yield* node.feeds.greatestId(freshStoreId())).toBeUndefined()
    })
  )
}
