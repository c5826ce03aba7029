import { Effect, Exit, Layer, Option, Scope } from "effect"
import type { EventJournal } from "effect/eventlog"
import { compareAll } from "../backend/behind.ts"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { FeedStore } from "../backend/FeedStore.ts"
import { type FeedLostError, StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type Lease, LeaseLostError, StoreProgress } from "../backend/StoreProgress.ts"
import { defaultLimits } from "../wire/limits.ts"
import { asStorageError, openStoreJournal, type StoreJournal } from "./storeJournal.ts"

const pageLimits = { maxEntries: defaultLimits.maxPageEntries, maxBytes: defaultLimits.maxPageBytes }

/** Stores whose cursors are read at the same time. */
const cursorsAtOnce = 16

/** Brings the journal from behind `cursor` to what the feed has next, up to `sequence`, and returns how far it is then. */
const addPage = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  journal: StoreJournal,
  cursor: number,
  sequence: number
): Effect.fn.Return<number, LeaseLostError | FeedLostError | StorageError> {
  const { entries } = yield* Effect.catchTag(
    feeds.read(storeId, cursor + 1, pageLimits),
    "StoreErasedError",
    () => new LeaseLostError({ storeId })
  )
  const passed = entries.filter(({ remoteSequence }) => remoteSequence <= sequence)
  const replayable = passed.filter(({ transportOnly }) => !transportOnly)
  // A feed that ends before went backwards. The cursor tells processing, so it has to move as it was told to.
  const last = passed.at(-1)?.remoteSequence ?? sequence
  yield* Effect.gen(function* () {
    if (replayable.length > 0) yield* journal.add(replayable)
    if (replayable.at(-1)?.remoteSequence !== last) yield* journal.pass(last)
  }).pipe(asStorageError("StoreProgress.advance"))
  return last
})

const leaseOf = (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  journal: StoreJournal,
  cursor: number,
  held: Lease
): Lease => {
  let reached = cursor
  return {
    cursor,
    // A journal never forgets an entry, so nobody can want it to be rewound.
    replayTo: 0,
    rewindTo: undefined,
    rewind: held.rewind,
    advance: (processed) =>
      Effect.gen(function* () {
        // First: who lost the lease must not get to the journal, which knows no holders.
        yield* held.advance(processed)
        while (reached < processed.sequence) {
          reached = yield* addPage(feeds, storeId, journal, reached, processed.sequence)
        }
      })
  }
}

const cannotRewind = new Error("An EventJournal holds every entry once: handlers can't see a feed again through it")

/** A scope of its own, closed when the effect fails: who tries again in the same scope must not be in its own way. */
const releasedOnFailure = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* Scope.provide(effect, scope).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
  })

/**
 * Processing that remembers how far it is in an `EventJournal` of effect's, for apps that keep one anyway. Processed
 * entries are written to the journal, and its cursor for the store's remote (`nextRemoteSequence`) is the processing
 * cursor. The remote's id is the first 16 bytes of SHA-256 of the store id in UTF-8.
 *
 * ```ts
 * createEventLogServer({ schema, handlers, backend, auth, progress: leaseFromEventJournal(() => journal) })
 * ```
 *
 * Where layers are composed, provide it with the backend's: `Layer.provideMerge(leaseFromEventJournal(…), backend.layer)`.
 *
 * - **Leases stay the backend's**, since a journal has none that lasts: one node at a time processes a store. A holder
 *   is told that it lost its lease before it writes to the journal, but a journal can't refuse one that stalls in
 *   between. It then adds entries that its handlers did see, so that none is skipped; some reach handlers twice.
 * - **At least once.** Handlers run before their entries get to the journal, and in no transaction of it. A crash
 *   repeats at most what was not yet written.
 * - **Entries** that are `transportOnly` are passed and never written. Those that failed in their handler are written.
 * - **An erased store** leaves its entries and its cursor in the journal, which has no way to forget a single store.
 * - **Compaction's cut-offs** stay in the backend.
 *
 * @param journalOf the journal of a store: the same for all stores, or one for each. It is asked often, also for stores
 * that have nothing to process, so it has to return journals that it keeps. Nodes that share a backend share its
 * journals too, and a journal serves one backend. Journals are never destroyed or closed here. One that fails, and a
 * `journalOf` that throws, counts as an outage: processing waits and tries again.
 */
export const leaseFromEventJournal = (
  journalOf: (storeId: StoreId) => EventJournal.EventJournal["Service"]
): Layer.Layer<StoreProgress, never, FeedStore | FeedAdmin | StoreProgress> =>
  Layer.effect(
    StoreProgress,
    Effect.gen(function* () {
      const feeds = yield* FeedStore
      const admin = yield* FeedAdmin
      const backend = yield* StoreProgress
      const open = (storeId: StoreId) => openStoreJournal(journalOf, storeId)

      const take = Effect.fnUntraced(function* (storeId: StoreId) {
        const held = yield* backend.lease(storeId)
        if (Option.isNone(held)) return held
        const [journal, cursor] = yield* open(storeId).pipe(
          Effect.flatMap((journal) => Effect.map(journal.cursor, (cursor) => [journal, cursor] as const)),
          asStorageError("StoreProgress.lease")
        )
        return Option.some(leaseOf(feeds, storeId, journal, cursor, held.value))
      })

      const cursors = (storeIds: ReadonlyArray<StoreId>) =>
        Effect.forEach(storeIds, (storeId) => Effect.flatMap(open(storeId), ({ cursor }) => cursor), {
          concurrency: cursorsAtOnce
        }).pipe(asStorageError("StoreProgress.cursors"))

      return {
        ...backend,
        rewind: () =>
          Effect.fail(new StorageError({ operation: "StoreProgress.rewind", retryable: false, cause: cannotRewind })),
        lease: (storeId) => releasedOnFailure(take(storeId)),
        cursors,
        behind: compareAll(admin, cursors)
      }
    })
  )
