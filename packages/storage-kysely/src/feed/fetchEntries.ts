import type { FeedEntry, StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import type { RawBuilder } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { entryColumns, toFeedEntries, travelling } from "./entries.ts"

/** Entries that a statement fetches at most, and their bytes, unless one has more: all of them may come in one value. */
const maxFetched = 1_000
const maxFetchedBytes = 4 * 1024 * 1024

/** Where an entry is, and what it weighs. */
interface Place {
  readonly sequence: number
  readonly bytes: number
}

/** The sequences of places in lists that a statement can fetch, in order. */
const sequencesOf = (places: Iterable<Place>): ReadonlyArray<ReadonlyArray<number>> => {
  const lists: Array<Array<number>> = []
  let left = 0
  for (const { bytes, sequence } of places) {
    const list = lists.at(-1)
    if (list === undefined || list.length === maxFetched || bytes > left) {
      lists.push([sequence])
      left = maxFetchedBytes
    } else list.push(sequence)
    left -= bytes
  }
  return lists
}

/** The entries of a store that are in these places, all different, by their sequences. */
export const fetchEntries = Effect.fnUntraced(function* (
  database: Database,
  operation: string,
  store: RawBuilder<unknown>,
  places: Iterable<Place>
): Effect.fn.Return<ReadonlyMap<number, FeedEntry>, StorageError> {
  const { connection, dialect, tables } = database
  const entries = new Map<number, FeedEntry>()
  for (const sequences of sequencesOf(places)) {
    const selected = dialect.buckets.selectAt(entryColumns, tables.entries, store, sequences)
    yield* attempt(database, operation, async () => {
      const { rows } = await travelling(dialect)(selected).execute(connection)
      for (const entry of toFeedEntries(rows)) entries.set(entry.remoteSequence, entry)
    })
  }
  return entries
})
