import type { FeedEntry, StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import type { RawBuilder } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf } from "../database/values.ts"
import { entryColumns, toFeedEntry } from "./entries.ts"

/** Entries that a statement fetches at most. */
const maxFetched = 1_000

/** The entries of a store that have these sequences, by them. */
export const fetchEntries = Effect.fnUntraced(function* (
  database: Database,
  operation: string,
  store: RawBuilder<unknown>,
  sequences: ReadonlyArray<number>
): Effect.fn.Return<ReadonlyMap<number, FeedEntry>, StorageError> {
  const { connection, dialect, tables } = database
  const entries = new Map<number, FeedEntry>()
  for (const chunk of chunksOf(sequences, maxFetched)) {
    yield* attempt(database, operation, async () => {
      const { rows } = await dialect.buckets.selectAt(entryColumns, tables.entries, store, chunk).execute(connection)
      for (const entry of rows.map(toFeedEntry)) entries.set(entry.remoteSequence, entry)
    })
  }
  return entries
})
