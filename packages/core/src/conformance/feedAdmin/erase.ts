import { Duration, Effect, Option } from "effect"
import { expect } from "vitest"
import { StoreErasedError } from "../../backend/StorageError.ts"
import { freshStoreId, knownAt, listening, losesLease, makeRecord, makeRecords, readAll } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const bucket = { events: ["Noted"], primaryKey: "key", fromSequence: 1, toSequence: 100 }

export const erase: Topic = (check) => {
  check("leaves nothing to read, for any node", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      yield* node.admin.erase(storeId)
      for (const { admin, feeds } of [node, peer]) {
        expect(yield* Effect.flip(readAll(feeds, storeId))).toBeInstanceOf(StoreErasedError)
        expect(
          yield* feeds.bucket(storeId, [bucket], { order: "sequence", maxEntries: 10, maxBytes: 1_000_000 })
        ).toEqual([[]])
        expect(yield* feeds.bucketBounds(storeId, [bucket])).toEqual([undefined])
        expect(yield* Effect.flip(feeds.head(storeId))).toBeInstanceOf(StoreErasedError)
        const heads = yield* admin.heads(undefined, 1_000_000)
        expect(heads.map((head) => head.storeId)).not.toContain(storeId)
      }
    })
  )

  check("refuses the id from then on, for any node", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const record = makeRecord()
      yield* node.feeds.append(storeId, [record])
      yield* node.admin.erase(storeId)
      for (const { feeds } of [node, peer]) {
        expect(yield* Effect.flip(feeds.append(storeId, [record]))).toBeInstanceOf(StoreErasedError)
        expect(yield* Effect.flip(feeds.append(storeId, makeRecords(1)))).toBeInstanceOf(StoreErasedError)
      }
    })
  )

  check("refuses an id that was never used, and may be repeated", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.admin.erase(storeId)
      yield* peer.admin.erase(storeId)
      expect(yield* Effect.flip(node.feeds.append(storeId, makeRecords(1)))).toBeInstanceOf(StoreErasedError)
    })
  )

  check("takes the lease away and forgets the cursor", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      const lease = yield* node.progress.lease(storeId)
      if (Option.isNone(lease)) return yield* Effect.die("not taken")
      const known = yield* Effect.forEach([1, 2], (sequence) => knownAt(node.feeds, storeId, sequence))
      yield* lease.value.advance(known[0]!)
      yield* peer.admin.erase(storeId)
      expect(yield* losesLease(lease.value.advance(known[1]!))).toBe(true)
      expect(yield* node.progress.cursors([storeId])).toEqual([0])
      const later = yield* peer.progress.lease(storeId)
      expect(Option.isNone(later) || (yield* losesLease(later.value.advance(known[0]!)))).toBe(true)
      expect(yield* node.progress.cursors([storeId])).toEqual([0])
    })
  )

  check("wakes those who listen, on any node", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const listeners = yield* Effect.forEach([node, peer], ({ feeds }) => listening(feeds, storeId))
      yield* node.admin.erase(storeId)
      yield* Effect.all(listeners, { concurrency: "unbounded" })
    })
  )

  check("touches no other store", ({ node }) =>
    Effect.gen(function* () {
      const [erased, kept] = [freshStoreId(), freshStoreId()]
      const records = makeRecords(3)
      yield* node.feeds.append(erased, records)
      yield* node.feeds.append(kept, records)
      const groups = yield* node.progress.raiseCutoffs(kept, [{ events: ["Noted"], olderThan: Duration.hours(1) }])
      const lease = yield* node.progress.lease(kept)
      if (Option.isNone(lease)) return yield* Effect.die("not taken")
      yield* lease.value.advance(yield* knownAt(node.feeds, kept, 2))
      yield* node.admin.erase(erased)
      yield* lease.value.advance(yield* knownAt(node.feeds, kept, 3))
      expect((yield* readAll(node.feeds, kept)).head).toBe(3)
      expect(yield* node.progress.cursors([kept])).toEqual([3])
      expect(yield* node.progress.raiseCutoffs(kept, [])).toEqual(groups)
      expect(yield* node.feeds.append(kept, records)).toEqual([1, 2, 3].map((sequence) => ({ sequence, isNew: false })))
    })
  )
}
