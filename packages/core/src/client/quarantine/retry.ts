import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { HandOver, type HandOverRules } from "./handOver.ts"
import type { QuarantinedEntry } from "./QuarantineStorage.ts"
import type { Ward } from "./Ward.ts"

type Entry = EventJournal.Entry

/** What applying quarantined entries works with. */
export interface RetryContext {
  readonly journal: EventJournal.EventJournal["Service"]
  readonly ward: Ward
  readonly rules: HandOverRules
}

/** Entries of which a crash repeats some at most. */
const pageSize = 100

/**
 * Applies what can be applied by now, each entry by itself and in feed order. Its conflicts are the applied entries that
 * are newer, as if it came from a device that was offline for long. The caller holds the journal's lock.
 */
export const retry = Effect.fnUntraced(function* ({
  journal,
  rules,
  ward
}: RetryContext): Effect.fn.Return<void, EventJournal.EventJournalError> {
  const left = Array.from((yield* ward.entries).values())
  // The journal is read once, and not at all where no handler would see what of it is newer.
  if (!left.some(({ entry }) => rules.handlers?.has(entry.event) === true)) return
  const stored = storedLike(left, yield* journal.entries)
  const unapplied = new Set(left.map(({ entry }) => entry.idString))
  const handOver = new HandOver(rules, [])
  const isNewer = (entry: Entry) => (other: Entry) => other.idString > entry.idString && !unapplied.has(other.idString)
  while (left.length > 0) {
    const applied: Array<Entry> = []
    const put: Array<QuarantinedEntry> = []
    for (const { entry, sequence } of left.splice(0, pageSize)) {
      const result = yield* handOver.run([{ entry, conflicts: stored(entry).filter(isNewer(entry)) }])
      for (const each of result.aside) put.push({ ...each, sequence })
      for (const each of result.applied) {
        unapplied.delete(each.idString)
        applied.push(each)
      }
    }
    yield* ward.change({ put, remove: applied })
  }
})

/** The stored entries of the event and primary key of one that is held, in the order of their ids. */
const storedLike = (held: ReadonlyArray<QuarantinedEntry>, entries: ReadonlyArray<Entry>) => {
  const keyOf = ({ event, primaryKey }: Entry) => JSON.stringify([event, primaryKey])
  const byKey = new Map<string, Array<Entry>>(held.map(({ entry }) => [keyOf(entry), []]))
  for (const entry of entries) byKey.get(keyOf(entry))?.push(entry)
  for (const each of byKey.values()) each.sort((a, b) => (a.idString < b.idString ? -1 : 1))
  return (entry: Entry): ReadonlyArray<Entry> => byKey.get(keyOf(entry)) ?? []
}
