import type {
  Appended,
  FeedLostError,
  FeedRecord,
  KnownEntry,
  StorageError,
  StoreErasedError,
  StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { attempt, type Database } from "../database/Database.ts"
import { createStore, findStore } from "../database/stores.ts"
import type { Inserted, StoreAppend } from "../dialects/Writes.ts"
import { findSequences, idKey } from "./ids.ts"
import type { Insert } from "./insert.ts"
import { firstCopies, toNewEntry } from "./newEntries.ts"

const operation = "FeedStore.append"

/** Records on their way into a store. */
export interface Append {
  readonly storeId: StoreId
  readonly records: ReadonlyArray<FeedRecord>
  readonly known: KnownEntry | undefined
}

type AppendError = StorageError | StoreErasedError | FeedLostError

/**
 * Inserts the entries that are new; `undefined` where all of them were there. Whoever inserts nothing looks why. The first
 * append of a store makes its row.
 */
const insertNew = Effect.fnUntraced(function* (
  database: Database,
  insert: Insert,
  storeId: StoreId,
  added: StoreAppend
): Effect.fn.Return<Inserted | undefined, AppendError> {
  const inserted = yield* insert(added)
  if (inserted !== undefined || (yield* findStore(database, operation, storeId, added.known))) return inserted
  yield* attempt(database, operation, () => createStore(database, storeId))
  return yield* insert(added)
})

/** The sequence of each entry, where all of them were new. */
const countUp = (copies: ReadonlyMap<string, FeedRecord>, { count, last }: Inserted): ReadonlyMap<string, number> =>
  new Map(Array.from(copies.keys(), (key, index) => [key, last - count + 1 + index]))

const toSlots = (
  records: ReadonlyArray<FeedRecord>,
  sequences: ReadonlyMap<string, number>,
  inserted: Inserted | undefined
): ReadonlyArray<Appended> => {
  const { count, last } = inserted ?? { count: 0, last: 0 }
  const answered = new Set<string>()
  return records.map(({ entry }) => {
    const key = idKey(entry.id)
    const sequence = sequences.get(key) ?? 0
    const isNew = sequence > last - count && sequence <= last && !answered.has(key)
    answered.add(key)
    return { sequence, isNew }
  })
}

/** `FeedStore.append`. A committed entry is never changed, so the sequences of repeated ones can be asked for later. */
export const append = Effect.fnUntraced(function* (
  database: Database,
  insert: Insert,
  { known, records, storeId }: Append
): Effect.fn.Return<ReadonlyArray<Appended>, AppendError> {
  if (records.length === 0) {
    if (known !== undefined) yield* findStore(database, operation, storeId, known)
    return []
  }
  const copies = firstCopies(records)
  const entries = Array.from(copies.values(), toNewEntry)
  const ids = entries.map(({ id }) => id)
  while (true) {
    const inserted = yield* insertNew(database, insert, storeId, { storeId, entries, known })
    const sequences =
      inserted?.count === entries.length
        ? countUp(copies, inserted)
        : yield* findSequences(database, operation, storeId, ids)
    // Entries that were neither inserted nor there: the store's row was made in between, or the store erased.
    if (sequences.size === entries.length) return toSlots(records, sequences, inserted)
  }
})
