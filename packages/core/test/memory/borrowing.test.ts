import { describe, it } from "@effect/vitest"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { expect } from "vitest"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { memoryBackend } from "../../src/index.ts"

const storeId = StoreId.make("store")
const limits = { maxEntries: 10, maxBytes: 1_000 }

describe("a page in memory", () => {
  it.effect("is copied for each reader, unless one only borrows it", () =>
    Effect.gen(function* () {
      const feeds = yield* FeedStore
      yield* feeds.append(storeId, makeRecords(3))
      const read = (borrows?: boolean) =>
        Effect.map(feeds.read(storeId, 2, { ...limits, borrows }), ({ entries }) => entries)
      const [borrowed, again, owned] = [yield* read(true), yield* read(true), yield* read()]
      expect(borrowed.map(({ remoteSequence }) => remoteSequence)).toEqual([2, 3])
      expect(owned).toEqual(borrowed)
      for (const [index, { entry }] of borrowed.entries()) {
        expect(again[index]?.entry).toBe(entry)
        expect(owned[index]?.entry.payload.buffer).not.toBe(entry.payload.buffer)
      }
      // The list is the reader's own.
      expect(again).not.toBe(borrowed)
    }).pipe(Effect.provide(memoryBackend().layer))
  )
})
