import { createHash } from "node:crypto"
import { describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Latch, Option } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { FeedRecord, KnownEntry } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { LeaseLostError, StoreProgress } from "../../src/backend/StoreProgress.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  range,
  setRecord,
  setRecords,
  startNode
} from "../processing/harness.ts"
import { idsIn, type Journal, places, withJournals } from "./journals.ts"

/** The store's remote, derived by other code. */
const remoteIdOf = (storeId: StoreId) =>
  EventJournal.RemoteId.make(new Uint8Array(createHash("sha256").update(storeId, "utf8").digest().subarray(0, 16)))

/** Where the record with a sequence is, for a lease to advance to. */
const at = (records: ReadonlyArray<FeedRecord>, sequence: number): KnownEntry => ({
  sequence,
  id: records[sequence - 1]!.entry.id
})

const idOf = ({ entry }: { readonly entry: EventJournal.Entry }) => entry.idString

/** A `Set` of a value that is only sent to subscribers. */
const transportOnly = (value: number) => ({ ...setRecord(value), transportOnly: true })

/** The progress of a backend with journals, and a lease of a store that nobody else holds. */
const takeLease = Effect.fnUntraced(function* (
  backend: Effect.Success<typeof makeBackend>,
  journal: Journal,
  storeId: StoreId
) {
  const progress = Context.get(yield* withJournals(backend, () => journal), StoreProgress)
  const lease = Option.getOrThrow(yield* progress.lease(storeId))
  return { progress, lease }
})

describe.each(places)("leaseFromEventJournal, %s", (_name, makePlace) => {
  it.live("goes on where the journal is when the server starts again, and runs each entry's handler once", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const place = yield* makePlace
      const storeId = freshStoreId()
      const seen = makeJournal()
      const run = (first: number, last: number) =>
        Effect.gen(function* () {
          const journal = yield* place
          const node = yield* startNode(yield* withJournals(backend, () => journal), seen.handlers)
          yield* commit(backend, node, storeId, setRecords(first, last))
          yield* node.processing.processed(storeId, last)
          yield* node.close
        }).pipe(Effect.scoped)

      yield* run(1, 700)
      // Only the journal knows from now on.
      backend.state.progress.cursors.clear()
      yield* run(701, 703)
      expect(seen.values(storeId)).toEqual(range(1, 703))
      const journal = yield* place
      expect(yield* journal.nextRemoteSequence(remoteIdOf(storeId))).toBe(704)
    })
  )

  it.live("leaves the processed entries in the journal, unchanged and in id order", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const node = yield* startNode(yield* withJournals(backend, () => journal), makeJournal().handlers)
      const storeId = freshStoreId()
      const late = setRecord(2, { id: EventJournal.makeEntryIdUnsafe({ msecs: 1_000 }) })
      const records = [setRecord(1, { key: "a" }), late, setRecord(3, { key: "b" })]
      yield* commit(backend, node, storeId, records)
      yield* node.processing.processed(storeId, 3)
      yield* node.close
      const entries = yield* journal.entries
      const plain = ({ event, id, payload, primaryKey }: EventJournal.Entry) => ({
        id: Array.from(id),
        event,
        primaryKey,
        payload: Array.from(payload)
      })
      expect(entries.map(plain)).toEqual([late, records[0]!, records[2]!].map(({ entry }) => plain(entry)))
    })
  )

  it.live("replays every store into a journal that is new, whatever the backend remembers", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const storeId = freshStoreId()
      const before = yield* startNode(backend.services, makeJournal().handlers)
      yield* commit(backend, before, storeId, setRecords(1, 5))
      yield* before.processing.processed(storeId, 5)
      yield* before.close

      const journal = yield* yield* makePlace
      const seen = makeJournal()
      const node = yield* startNode(yield* withJournals(backend, () => journal), seen.handlers)
      yield* node.processing.processed(storeId, 5)
      expect(seen.values(storeId)).toEqual(range(1, 5))
      yield* node.close
      expect(yield* journal.entries).toHaveLength(5)
    })
  )

  it.live("keeps stores apart in one journal", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const seen = makeJournal()
      const node = yield* startNode(yield* withJournals(backend, () => journal), seen.handlers)
      const [one, other] = [freshStoreId(), freshStoreId()]
      const shared = setRecord(1)
      yield* commit(backend, node, one, [shared, setRecord(2)])
      yield* node.processing.processed(one, 2)
      // The journal holds the first id already. It is an entry of this store all the same.
      yield* commit(backend, node, other, [shared, setRecord(3), setRecord(4)])
      yield* node.processing.processed(other, 3)
      expect([seen.values(one), seen.values(other)]).toEqual([
        [1, 2],
        [1, 3, 4]
      ])
      yield* node.close
      expect(yield* journal.nextRemoteSequence(remoteIdOf(one))).toBe(3)
      expect(yield* journal.nextRemoteSequence(remoteIdOf(other))).toBe(4)
      expect(yield* journal.entries).toHaveLength(4)
    })
  )

  it.live("gives each store its own journal where the app has one for each", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journals = new Map<StoreId, Journal>()
      const stores = [freshStoreId(), freshStoreId()]
      for (const storeId of stores) journals.set(storeId, yield* yield* makePlace)
      const node = yield* startNode(
        yield* withJournals(backend, (storeId) => journals.get(storeId)!),
        makeJournal().handlers
      )
      for (const [index, storeId] of stores.entries()) {
        const records = setRecords(1, index + 1)
        yield* commit(backend, node, storeId, records)
        yield* node.processing.processed(storeId, records.length)
        const journal = journals.get(storeId)!
        yield* idsIn(journal).pipe(Effect.repeat({ until: (ids) => ids.length === records.length }))
        expect(yield* idsIn(journal)).toEqual(records.map(idOf))
      }
    })
  )

  it.effect("passes transport-only entries, wherever they are, and leaves them out of the journal", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const storeId = freshStoreId()
      const records = [
        ...range(1, 3).map(transportOnly),
        setRecord(4),
        transportOnly(5),
        setRecord(6),
        // More than a page of them.
        ...range(7, 600).map(transportOnly)
      ]
      yield* backend.feeds.append(storeId, records)
      const { lease, progress } = yield* takeLease(backend, journal, storeId)
      for (const sequence of [2, 3, 5, 6, 8, 600]) {
        yield* lease.advance(at(records, sequence))
        expect(yield* progress.cursors([storeId])).toEqual([sequence])
      }
      expect(yield* idsIn(journal)).toEqual([records[3]!, records[5]!].map(idOf))
    })
  )

  it.effect("writes no further than it is told to", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const storeId = freshStoreId()
      const records = setRecords(1, 10)
      yield* backend.feeds.append(storeId, records)
      const { lease } = yield* takeLease(backend, journal, storeId)
      yield* lease.advance(at(records, 4))
      expect(yield* idsIn(journal)).toEqual(records.slice(0, 4).map(idOf))
      yield* lease.advance(at(records, 2))
      expect(yield* journal.nextRemoteSequence(remoteIdOf(storeId))).toBe(5)
    })
  )

  it.effect("writes nothing for a holder that lost its lease", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const storeId = freshStoreId()
      const records = setRecords(1, 3)
      yield* backend.feeds.append(storeId, records)
      const { lease, progress } = yield* takeLease(backend, journal, storeId)
      backend.state.progress.holders.delete(storeId)
      expect(yield* Effect.flip(lease.advance(at(records, 3)))).toBeInstanceOf(LeaseLostError)
      expect(yield* journal.entries).toEqual([])
      expect(yield* progress.cursors([storeId])).toEqual([0])
    })
  )

  it.effect("writes nothing of an erased store, and keeps what it wrote before", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = yield* yield* makePlace
      const storeId = freshStoreId()
      const records = setRecords(1, 3)
      yield* backend.feeds.append(storeId, records)
      const { lease, progress } = yield* takeLease(backend, journal, storeId)
      yield* lease.advance(at(records, 1))
      yield* backend.admin.erase(storeId)
      expect(yield* Effect.flip(lease.advance(at(records, 3)))).toBeInstanceOf(LeaseLostError)
      expect(yield* idsIn(journal)).toEqual(records.slice(0, 1).map(idOf))
      expect(yield* progress.cursors([storeId])).toEqual([1])
      expect(Option.isNone(yield* progress.lease(storeId))).toBe(true)
    })
  )
})

/** A journal that fails while it is away. */
const makeFlaky = Effect.map(EventJournal.makeMemory, (journal) => {
  let isAway = false
  const guard = <A, E>(call: Effect.Effect<A, E>) =>
    Effect.suspend(
      (): Effect.Effect<A, E | EventJournal.EventJournalError> =>
        isAway ? new EventJournal.EventJournalError({ method: "any", cause: new Error("away") }) : call
    )
  const flaky: Journal = {
    ...journal,
    writeFromRemote: (options) => guard(journal.writeFromRemote(options)),
    nextRemoteSequence: (remoteId) => guard(journal.nextRemoteSequence(remoteId))
  }
  return {
    journal: flaky,
    isAway: (next: boolean) => {
      isAway = next
    }
  }
})

describe("leaseFromEventJournal", () => {
  it.live("waits for a journal that is away, and runs no handler again when it is back", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const flaky = yield* makeFlaky
      const arrived = yield* Deferred.make<void>()
      const goOn = yield* Latch.make()
      const values: Array<number> = []
      const handlers = handlersOf(({ payload }) =>
        Effect.gen(function* () {
          values.push(payload.value)
          yield* Deferred.succeed(arrived, undefined)
          yield* goOn.await
        })
      )
      const node = yield* startNode(yield* withJournals(backend, () => flaky.journal), handlers, {
        outageRetry: { min: 1, max: 5 }
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* Deferred.await(arrived)
      flaky.isAway(true)
      yield* goOn.open
      // The last handler ran, and the cursor was asked to move.
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => backend.state.progress.cursors.get(storeId) === 3 }))
      flaky.isAway(false)
      yield* flaky.journal.entries.pipe(Effect.repeat({ until: (entries) => entries.length === 3 }))
      expect(values).toEqual([1, 2, 3])
    })
  )

  it.effect("gives the backend's lease back when the journal can't say where it is", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const flaky = yield* makeFlaky
      const storeId = freshStoreId()
      const progress = Context.get(yield* withJournals(backend, () => flaky.journal), StoreProgress)
      flaky.isAway(true)
      const error = yield* Effect.flip(progress.lease(storeId))
      expect(error).toBeInstanceOf(StorageError)
      expect(error).toMatchObject({ operation: "StoreProgress.lease", retryable: true })
      flaky.isAway(false)
      expect(Option.isSome(yield* progress.lease(storeId))).toBe(true)
    })
  )

  it.effect("answers with an error where the app names no journal", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const cause = new Error("no such journal")
      const services = yield* withJournals(backend, () => {
        throw cause
      })
      const progress = Context.get(services, StoreProgress)
      expect(yield* Effect.flip(progress.cursors([freshStoreId()]))).toMatchObject({
        operation: "StoreProgress.cursors",
        cause
      })
      expect(yield* Effect.flip(progress.lease(freshStoreId()))).toBeInstanceOf(StorageError)
    })
  )
})
