import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { freshStoreId, makeRecord } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const all = { fromSequence: 1, toSequence: 1_000 }

export const bucketBounds: Topic = (check) => {
  check("answers the first and the last sequence of each range, in their order", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, [
        makeRecord({ event: "Set", primaryKey: "a" }),
        makeRecord({ event: "Set", primaryKey: "b" }),
        makeRecord({ event: "Cleared", primaryKey: "a" }),
        makeRecord({ event: "Set", primaryKey: "a", transportOnly: true }),
        makeRecord({ event: "Other", primaryKey: "a" })
      ])
      const bounds = yield* peer.feeds.bucketBounds(storeId, [
        { ...all, events: ["Set"], primaryKey: "a" },
        { ...all, events: ["Set"], primaryKey: "a", replayableOnly: true },
        { ...all, events: ["Cleared", "Set"], primaryKey: "a", fromSequence: 2 },
        { ...all, events: ["Cleared", "Set"], primaryKey: "a", toSequence: 3 },
        { ...all, events: ["Set"], primaryKey: "c" },
        { ...all, events: ["Set"], primaryKey: "b" }
      ])
      expect(bounds).toEqual([
        { first: 1, last: 4 },
        { first: 1, last: 1 },
        { first: 3, last: 4 },
        { first: 1, last: 3 },
        undefined,
        { first: 2, last: 2 }
      ])
    })
  )

  check("heeds afterId", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const ids = [30, 10, 40, 20].map((offset) =>
        EventJournal.makeEntryIdUnsafe({ msecs: 1_700_000_000_000 + offset })
      )
      yield* node.feeds.append(
        storeId,
        ids.map((id) => makeRecord({ id, event: "Set", primaryKey: "a" }))
      )
      const range = { ...all, events: ["Set"], primaryKey: "a" }
      expect(
        yield* node.feeds.bucketBounds(
          storeId,
          ids.map((afterId) => ({ ...range, afterId }))
        )
      ).toEqual([{ first: 3, last: 3 }, { first: 1, last: 4 }, undefined, { first: 1, last: 3 }])
    })
  )

  check("answers for a store that has no entries", ({ node }) =>
    Effect.gen(function* () {
      const range = { ...all, events: ["Set"], primaryKey: "a" }
      expect(yield* node.feeds.bucketBounds(freshStoreId(), [range])).toEqual([undefined])
      expect(yield* node.feeds.bucketBounds(freshStoreId(), [])).toEqual([])
    })
  )
}
