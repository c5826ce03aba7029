import { Effect, type Scope, Stream } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedRecord, FeedStore, KnownEntry, PageLimits } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import { StoreId } from "../backend/StoreId.ts"
import { LeaseLostError } from "../backend/StoreProgress.ts"

/** A name that no other test, run or process uses. */
export const freshName = (prefix: string): string => `${prefix}-${crypto.randomUUID()}`

/** A store that nobody has written to. */
export const freshStoreId = (): StoreId => StoreId.make(freshName("store"))

/** What a test wants of a record; the rest is made up. */
export interface RecordFields {
  readonly id?: EventJournal.EntryId
  readonly event?: string
  readonly primaryKey?: string
  readonly payload?: Uint8Array
  readonly author?: string | null
  readonly transportOnly?: boolean
}

/** A record with a fresh id, and an author and a payload of its own. */
export const makeRecord = (fields: RecordFields = {}): FeedRecord => ({
  entry: new EventJournal.Entry(
    {
      id: fields.id ?? EventJournal.makeEntryIdUnsafe(),
      event: fields.event ?? "Noted",
      primaryKey: fields.primaryKey ?? "key",
      payload: fields.payload ?? crypto.getRandomValues(new Uint8Array(8))
    },
    { disableChecks: true }
  ),
  author: fields.author === undefined ? "author" : fields.author,
  transportOnly: fields.transportOnly ?? false
})

/** Records with fresh ids. */
export const makeRecords = (count: number, fields: RecordFields = {}): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, () => makeRecord(fields))

/** A page as big as a test can need. */
export const wholeFeed: PageLimits = { maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER }

/** The whole feed of a store. */
export const readAll = (feeds: FeedStore["Service"], storeId: StoreId) => feeds.read(storeId, 1, wholeFeed)

/** The entry that a store's feed holds at a sequence. */
export const knownAt = (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  sequence: number
): Effect.Effect<KnownEntry, StorageError | StoreErasedError | FeedLostError> =>
  Effect.flatMap(feeds.read(storeId, sequence, { maxEntries: 1, maxBytes: 1 }), ({ entries: [found] }) =>
    found === undefined
      ? Effect.die(new Error(`There is no entry at ${sequence}`))
      : Effect.succeed({ sequence, id: found.entry.id })
  )

/** The part of a feed entry that the writer gave. */
export const contents = ({ author, entry, transportOnly }: FeedRecord) => ({
  id: entry.idString,
  event: entry.event,
  primaryKey: entry.primaryKey,
  payload: Array.from(entry.payload),
  author,
  transportOnly
})

/** The ids of records, in order. */
export const idsOf = (records: ReadonlyArray<FeedRecord>): ReadonlyArray<string> =>
  records.map(({ entry }) => entry.idString)

/** The sequences of feed entries, in order. */
export const sequencesOf = (entries: ReadonlyArray<FeedEntry>): ReadonlyArray<number> =>
  entries.map(({ remoteSequence }) => remoteSequence)

/** The numbers from `first` to `last`. */
export const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)

/** Waits for wake-ups until the store's head is at least `head`. It hangs where a wake-up is missing. */
export const awaitHead = (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  head: number
): Effect.Effect<void, StorageError | StoreErasedError | FeedLostError> =>
  feeds.wakeups(storeId).pipe(
    Stream.mapEffect(() => feeds.read(storeId, head, wholeFeed)),
    Stream.takeUntil((page) => page.head >= head),
    Stream.runDrain
  )

/** Listens to a store's wake-ups and answers the pull for the next ones, once the first has come. */
export const listening = (
  feeds: FeedStore["Service"],
  storeId: StoreId
): Effect.Effect<Effect.Effect<unknown, unknown>, unknown, Scope.Scope> =>
  Effect.tap(Stream.toPull(feeds.wakeups(storeId)), (pull) => pull)

/** Whether an effect failed because its lease is gone. */
export const losesLease = <A>(
  effect: Effect.Effect<A, LeaseLostError | FeedLostError | StorageError>
): Effect.Effect<boolean, FeedLostError | StorageError> =>
  effect.pipe(
    Effect.as(false),
    Effect.catchIf(
      (error): error is LeaseLostError => error instanceof LeaseLostError,
      () => Effect.succeed(true)
    )
  )
