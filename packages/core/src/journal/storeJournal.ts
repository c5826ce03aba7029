import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FeedEntry } from "../backend/FeedStore.ts"
import { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { storeRemoteId } from "./storeRemoteId.ts"

/** A store's part of an `EventJournal`: its entries, and the cursor behind them. */
export interface StoreJournal {
  /** The sequence of the last entry behind the cursor; 0 before the first. */
  readonly cursor: Effect.Effect<number, EventJournal.EventJournalError>
  /** Adds those entries that it doesn't hold yet and moves the cursor behind all of them, in one transaction. */
  readonly add: (entries: ReadonlyArray<FeedEntry>) => Effect.Effect<void, EventJournal.EventJournalError>
  /** Moves the cursor behind `sequence`, over entries that don't belong into the journal. */
  readonly pass: (sequence: number) => Effect.Effect<void, EventJournal.EventJournalError>
}

/** Journals take acks for entries that they hold; only the sequence of one moves the cursor. */
const noEntry = new Uint8Array(16) as EventJournal.EntryId

const toRemoteEntry = ({ entry, remoteSequence }: FeedEntry): EventJournal.RemoteEntry =>
  new EventJournal.RemoteEntry({ entry, remoteSequence }, { disableChecks: true })

const storeJournal = (
  journal: EventJournal.EventJournal["Service"],
  remoteId: EventJournal.RemoteId
): StoreJournal => ({
  cursor: Effect.map(journal.nextRemoteSequence(remoteId), (next) => Math.max(0, next - 1)),
  add: (entries) =>
    journal.writeFromRemote({
      remoteId,
      entries: entries.map(toRemoteEntry),
      // Handlers ran already. With nothing left to run, the journal doesn't look for conflicts either.
      compact: () => Effect.succeed([]),
      effect: () => Effect.void
    }),
  pass: (sequence) =>
    // The journal would wait for the sequences before, if this weren't the first one.
    journal.writeRemoteAcks({ remoteId, acks: [{ entryId: noEntry, sequence }], firstSequence: sequence })
})

/** The part of the journal that the app keeps for a store. Fails with whatever `journalOf` throws. */
export const openStoreJournal = (
  journalOf: (storeId: StoreId) => EventJournal.EventJournal["Service"],
  storeId: StoreId
): Effect.Effect<StoreJournal, unknown> =>
  Effect.flatMap(storeRemoteId(storeId), (remoteId) =>
    Effect.try({ try: () => storeJournal(journalOf(storeId), remoteId), catch: (cause) => cause })
  )

/** Makes a journal's failure one of the backend. A journal doesn't say whether a retry can mend it, so one may be tried. */
export const asStorageError =
  (operation: string) =>
  <A, R>(call: Effect.Effect<A, unknown, R>): Effect.Effect<A, StorageError, R> =>
    Effect.mapError(call, (cause) => new StorageError({ operation, retryable: true, cause }))
