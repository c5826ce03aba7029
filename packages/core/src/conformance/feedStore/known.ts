import { Effect } from "effect"
import { expect } from "vitest"
import type { FeedStore, KnownEntry } from "../../backend/FeedStore.ts"
import { FeedLostError, StoreErasedError } from "../../backend/StorageError.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, knownAt, makeRecord, makeRecords, readAll, wholeFeed } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

type Feeds = FeedStore["Service"]

/** What presents a known entry. */
const calls: Readonly<
  Record<string, (feeds: Feeds, storeId: StoreId, known: KnownEntry) => Effect.Effect<unknown, unknown>>
> = {
  append: (feeds, storeId, known) => feeds.append(storeId, makeRecords(2), known),
  "append of what is there": (feeds, storeId, known) =>
    Effect.flatMap(readAll(feeds, storeId), ({ entries }) => feeds.append(storeId, entries.slice(0, 1), known)),
  "append of nothing": (feeds, storeId, known) => feeds.append(storeId, [], known),
  read: (feeds, storeId, known) => feeds.read(storeId, 1, wholeFeed, known),
  "read beyond the end": (feeds, storeId, known) => feeds.read(storeId, 1_000, wholeFeed, known)
}

/** Where an entry isn't, in a store that has three. */
const lost: Readonly<Record<string, (storeId: StoreId, feeds: Feeds) => Effect.Effect<KnownEntry, unknown>>> = {
  "another entry stands in its place": () => Effect.succeed({ sequence: 3, id: makeRecord().entry.id }),
  "it lies beyond the head": () => Effect.succeed({ sequence: 4, id: makeRecord().entry.id }),
  "it lies far beyond the head": () => Effect.succeed({ sequence: 1_000_000, id: makeRecord().entry.id }),
  "it stands somewhere else": (storeId, feeds) =>
    Effect.map(knownAt(feeds, storeId, 1), ({ id }) => ({ sequence: 2, id }))
}

export const known: Topic = (check) => {
  for (const [name, call] of Object.entries(calls)) {
    check(`lets ${name} pass where the known entry is in its place`, ({ node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        yield* node.feeds.append(storeId, makeRecords(3))
        for (const sequence of [1, 3]) yield* call(peer.feeds, storeId, yield* knownAt(node.feeds, storeId, sequence))
      })
    )

    for (const [where, entry] of Object.entries(lost)) {
      check(`fails ${name} and changes nothing where ${where}`, ({ node, peer }) =>
        Effect.gen(function* () {
          const storeId = freshStoreId()
          yield* node.feeds.append(storeId, makeRecords(3))
          const missing = yield* entry(storeId, node.feeds)
          const error = yield* Effect.flip(call(peer.feeds, storeId, missing))
          expect(error).toBeInstanceOf(FeedLostError)
          expect(error).toMatchObject({ storeId, sequence: missing.sequence })
          expect((yield* readAll(node.feeds, storeId)).head).toBe(3)
        })
      )
    }

    check(`fails ${name} where the store has no entry at all`, ({ node }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        const missing = { sequence: 1, id: makeRecord().entry.id }
        expect(yield* Effect.flip(call(node.feeds, storeId, missing))).toBeInstanceOf(FeedLostError)
      })
    )
  }

  check("fails where the backend has another id since, though the entry is in its place", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      const last = yield* knownAt(node.feeds, storeId, 3)
      const remoteId = yield* node.admin.id
      const before = { ...last, remoteId }
      for (const call of Object.values(calls)) yield* call(node.feeds, storeId, before)
      const { sequence } = yield* peer.feeds.head(storeId)
      const { id } = yield* peer.admin.rotateId(remoteId)
      // As a node does whose devices send again what they hold.
      yield* peer.admin.id
      yield* peer.feeds.append(storeId, makeRecords(1))
      for (const call of Object.values(calls)) {
        const error = yield* Effect.flip(call(node.feeds, storeId, before))
        expect(error).toBeInstanceOf(FeedLostError)
        expect(error).toMatchObject({ storeId, sequence: 3 })
      }
      expect((yield* peer.feeds.head(storeId)).sequence).toBe(sequence + 1)
      for (const { feeds } of [node, peer]) yield* feeds.read(storeId, 1, wholeFeed, { ...last, remoteId: id })
    })
  )

  check("says of an erased store that it was erased", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(1))
      const last = yield* knownAt(node.feeds, storeId, 1)
      yield* node.admin.erase(storeId)
      expect(yield* Effect.flip(peer.feeds.read(storeId, 1, wholeFeed, last))).toBeInstanceOf(StoreErasedError)
      expect(yield* Effect.flip(peer.feeds.append(storeId, makeRecords(1), last))).toBeInstanceOf(StoreErasedError)
    })
  )

  check("looks at each of many stores that are appended to and read at once", ({ node }) =>
    Effect.gen(function* () {
      const stores = Array.from({ length: 24 }, freshStoreId)
      yield* Effect.forEach(stores, (storeId) => node.feeds.append(storeId, makeRecords(2)), {
        concurrency: "unbounded"
      })
      const outcomes = yield* Effect.forEach(
        stores,
        Effect.fnUntraced(function* (storeId, index) {
          const last = yield* knownAt(node.feeds, storeId, 2)
          const presented = index % 3 === 0 ? { ...last, id: makeRecord().entry.id } : last
          const appended = yield* Effect.result(node.feeds.append(storeId, makeRecords(1), presented))
          const read = yield* Effect.result(node.feeds.read(storeId, 1, wholeFeed, presented))
          return [appended._tag, read._tag]
        }),
        { concurrency: "unbounded" }
      )
      expect(outcomes).toEqual(
        stores.map((_, index) => (index % 3 === 0 ? ["Failure", "Failure"] : ["Success", "Success"]))
      )
    })
  )

  check(
    "notices a feed that lost its end and has grown beyond it since",
    ({ loseTail, node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        yield* node.feeds.append(storeId, makeRecords(5))
        const [third, fifth] = [yield* knownAt(node.feeds, storeId, 3), yield* knownAt(node.feeds, storeId, 5)]
        yield* Effect.promise(async () => loseTail?.(storeId, 2))
        expect((yield* readAll(node.feeds, storeId)).head).toBe(3)
        expect((yield* peer.feeds.append(storeId, makeRecords(4), third)).map(({ sequence }) => sequence)).toEqual([
          4, 5, 6, 7
        ])
        expect(yield* Effect.flip(node.feeds.read(storeId, 6, wholeFeed, fifth))).toBeInstanceOf(FeedLostError)
        expect(yield* Effect.flip(node.feeds.append(storeId, makeRecords(1), fifth))).toBeInstanceOf(FeedLostError)
        expect((yield* node.feeds.read(storeId, 1, wholeFeed, third)).head).toBe(7)
      }),
    "loseTail"
  )
}
