import { Effect, References } from "effect"
import { EventJournal } from "effect/eventlog"

type WriteFromRemote = Parameters<EventJournal.EventJournal["Service"]["writeFromRemote"]>[0]

/** New entries, and what stands between them and the journal. */
export interface Batch {
  readonly options: WriteFromRemote
  /** The new ones, each once. */
  readonly fresh: ReadonlyArray<EventJournal.RemoteEntry>
  /** What `options.compact` made of them. */
  readonly compacted: ReadonlyArray<EventJournal.Entry>
  /** Stored entries that may be conflicts. */
  readonly stored: ReadonlyArray<EventJournal.Entry>
}

/**
 * Hands new entries to `effect`, in the order and with the conflicts that effect's journals give them. Only those know for
 * which entries a compactor's outputs stand, so one in memory that holds what is stored of their keys does it.
 */
export const applyInOrder = Effect.fnUntraced(function* ({
  compacted,
  fresh,
  options: { effect, remoteId },
  stored
}: Batch): Effect.fn.Return<void, EventJournal.EventJournalError> {
  const journal = yield* EventJournal.makeMemory
  if (stored.length > 0) {
    yield* journal
      .writeFromRemote({
        remoteId: EventJournal.makeRemoteIdUnsafe(),
        entries: stored.map((entry) => ({ entry, remoteSequence: 0 })),
        effect: () => Effect.void
      })
      // What is stored was warned of when it came.
      .pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  }
  yield* journal.writeFromRemote({ remoteId, entries: fresh, compact: () => Effect.succeed(compacted), effect })
})
