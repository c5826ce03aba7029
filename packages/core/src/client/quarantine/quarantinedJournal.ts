import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { type HandedOver, HandOver, type HandOverRules, type Incoming } from "./handOver.ts"
import type { QuarantinedEntry } from "./QuarantineStorage.ts"
import type { Ward } from "./Ward.ts"

type Journal = EventJournal.EventJournal["Service"]
type Batch = ReadonlyArray<EventJournal.RemoteEntry>

/** What a journal behind a quarantine works with. */
export interface QuarantinedJournalContext {
  readonly journal: Journal
  readonly ward: Ward
  readonly rules: () => Omit<HandOverRules, "apply">
  /** Told what was set aside, once that is durable. It can't fail. */
  readonly onAside: (entries: ReadonlyArray<QuarantinedEntry>) => Effect.Effect<void>
}

/**
 * A journal that takes every batch of a server: what can't be applied is kept in the ward before the batch is committed, so
 * that no crash loses it.
 */
export const quarantinedJournal = (context: QuarantinedJournalContext): Journal => {
  const { journal, onAside, rules, ward } = context

  const admit = Effect.fnUntraced(function* (
    batch: ReadonlyArray<Incoming>,
    delivered: Batch,
    apply: HandOverRules["apply"]
  ) {
    const held = yield* ward.entries
    const incoming = new Set(batch.map(({ entry }) => entry.idString))
    const before = Array.from(held.values(), ({ entry }) => entry).filter(({ idString }) => !incoming.has(idString))
    const result = yield* new HandOver({ ...rules(), apply }, before).run(withoutUnapplied(batch, held))
    const put = inFeed(result, delivered)
    yield* ward.change({ put, remove: result.applied.filter(({ idString }) => held.has(idString)) })
    if (put.length > 0) yield* onAside(put)
  })

  return {
    ...journal,
    writeFromRemote: (options) =>
      journal.writeFromRemote({
        ...options,
        compact: options.compact && compactIfPossible(options.compact),
        effect: (batch) => admit(batch, options.entries, options.effect)
      }),
    destroy: Effect.andThen(
      journal.destroy,
      Effect.flatMap(ward.entries, (held) =>
        ward.change({ put: [], remove: Array.from(held.values(), ({ entry }) => entry) })
      )
    )
  }
}

/** Stored entries that were never applied are no conflicts: they will find those that were. */
const withoutUnapplied = (
  batch: ReadonlyArray<Incoming>,
  held: ReadonlyMap<string, QuarantinedEntry>
): ReadonlyArray<Incoming> =>
  held.size === 0
    ? batch
    : batch.map(({ conflicts, entry }) => ({
        entry,
        conflicts: conflicts.filter(({ idString }) => !held.has(idString))
      }))

/** An app's compactor may die of an entry, as a handler may. The batch then goes on as it came. */
const compactIfPossible =
  (compact: (uncommitted: Batch) => Effect.Effect<ReadonlyArray<EventJournal.Entry>, EventJournal.EventJournalError>) =>
  (uncommitted: Batch) =>
    Effect.catchCause(compact(uncommitted), (cause) =>
      Effect.as(
        Effect.logError("A compactor failed, and its entries are applied as they came", cause),
        uncommitted.map(({ entry }) => entry)
      )
    )

/** Gives each entry its place, in feed order. What a compactor wrote has none of its own: it stands where its key was last. */
const inFeed = ({ aside }: HandedOver, delivered: Batch): ReadonlyArray<QuarantinedEntry> => {
  if (aside.length === 0) return []
  const byId = new Map(delivered.map(({ entry, remoteSequence }) => [entry.idString, remoteSequence]))
  const byKey = new Map(delivered.map(({ entry, remoteSequence }) => [entry.primaryKey, remoteSequence]))
  const last = delivered[delivered.length - 1]?.remoteSequence ?? 0
  return aside
    .map((each) => ({
      ...each,
      sequence: byId.get(each.entry.idString) ?? byKey.get(each.entry.primaryKey) ?? last
    }))
    .sort((a, b) => a.sequence - b.sequence)
}
