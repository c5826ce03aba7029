import { describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Queue, Scope } from "effect"
import { expect } from "vitest"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { Storage } from "../../src/backend/Storage.ts"
import { StoreErasedError } from "../../src/backend/StorageError.ts"
import { freshStoreId, makeRecords, range } from "../../src/conformance/fixtures.ts"
import { memoryBackend } from "../../src/memory/backend.ts"
import { layerStorage, layerStorageMemory } from "../../src/memory/storage.ts"

const makeEntries = (count: number) => makeRecords(count).map(({ entry }) => entry)

const takeSequences = Effect.fnUntraced(function* (
  queue: Effect.Success<ReturnType<Storage["Service"]["changes"]>>,
  count: number
) {
  const sequences: Array<number> = []
  while (sequences.length < count) sequences.push((yield* Queue.take(queue)).remoteSequence)
  return sequences
})

describe("Storage", () => {
  it.effect("answers one sequence per input and the entries that are new", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      const entries = makeEntries(3)
      const first = yield* storage.write({ storeId, entries: entries.slice(0, 2) })
      expect(first.sequenceNumbers).toEqual([1, 2])
      expect(first.committed.map(({ remoteSequence }) => remoteSequence)).toEqual([1, 2])
      const second = yield* storage.write({ storeId, entries })
      expect(second.sequenceNumbers).toEqual([1, 2, 3])
      expect(second.committed.map(({ entry }) => entry.idString)).toEqual(entries.slice(2).map((e) => e.idString))
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("reads the whole feed from a sequence on; 0 is 1", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      // More than a page.
      yield* storage.write({ storeId, entries: makeEntries(1_200) })
      const read = (from: number) =>
        Effect.map(storage.entries(storeId, from), (entries) => entries.map(({ remoteSequence }) => remoteSequence))
      expect(yield* read(0)).toEqual(range(1, 1_200))
      expect(yield* read(1_000)).toEqual(range(1_000, 1_200))
      expect(yield* read(1_201)).toEqual([])
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("follows changes from a sequence on, in order, without gap or repeat", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      yield* storage.write({ storeId, entries: makeEntries(700) })
      const queue = yield* storage.changes(storeId, 3)
      const reading = yield* Effect.forkChild(takeSequences(queue, 998))
      for (let batch = 0; batch < 30; batch++) yield* storage.write({ storeId, entries: makeEntries(10) })
      expect(yield* Fiber.join(reading)).toEqual(range(3, 1_000))
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("goes on behind what it delivered", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      const queue = yield* storage.changes(storeId, 0)
      for (const round of range(0, 4)) {
        yield* storage.write({ storeId, entries: makeEntries(3) })
        expect(yield* takeSequences(queue, 3)).toEqual(range(round * 3 + 1, round * 3 + 3))
      }
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("holds a bounded number of changes for a slow reader", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      const queue = yield* storage.changes(storeId, 1)
      yield* storage.write({ storeId, entries: makeEntries(700) })
      yield* Queue.peek(queue)
      yield* Effect.yieldNow
      expect(yield* Queue.size(queue)).toBeLessThanOrEqual(64)
      expect(yield* takeSequences(queue, 700)).toEqual(range(1, 700))
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("ends the changes of an erased store with its error", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const storeId = freshStoreId()
      yield* storage.write({ storeId, entries: makeEntries(1) })
      const queue = yield* storage.changes(storeId, 1)
      yield* Queue.take(queue)
      yield* (yield* FeedAdmin).erase(storeId)
      expect(yield* Effect.flip(Queue.take(queue))).toBeInstanceOf(StoreErasedError)
    }).pipe(Effect.provide(layerStorage), Effect.provide(memoryBackend().layer))
  )

  it.effect("ends the changes with their scope", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const scope = yield* Scope.make()
      const queue = yield* storage.changes(freshStoreId(), 1).pipe(Scope.provide(scope))
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Effect.exit(Queue.take(queue))
      expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    }).pipe(Effect.provide(layerStorageMemory))
  )

  it.effect("lets a FeedStore reader see what was written", () =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* (yield* Storage).write({ storeId, entries: makeEntries(2) })
      const page = yield* (yield* FeedStore).read(storeId, 1, { maxEntries: 10, maxBytes: 1_000 })
      expect(page.entries.map(({ author, transportOnly }) => ({ author, transportOnly }))).toEqual([
        { author: null, transportOnly: false },
        { author: null, transportOnly: false }
      ])
    }).pipe(Effect.provide(layerStorageMemory))
  )
})
