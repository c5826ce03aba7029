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

/** Whoever inserted nothing looks why: the first append of a store makes its row. */
const insertIntoNew = Effect.fnUntraced(function* (
  database: Database,
  insert: Insert,
  added: StoreAppend
): Effect.fn.Return<Inserted | undefined, AppendError> {
  const { known, storeId } = added
  if (yield* findStore(database, operation, storeId, known)) return undefined
  yield* attempt(database, operation, () => createStore(database, storeId))
  return yield* insert(added)
})

/** Inserts the entries that are new; `undefined` where all of them were there. */
const insertNew = (
  database: Database,
  insert: Insert,
  added: StoreAppend
): Effect.Effect<Inserted | undefined, AppendError> =>
  Effect.flatMap(insert(added), (inserted) =>
    inserted === undefined ? insertIntoNew(database, insert, added) : Effect.succeed(inserted)
  )

/** The sequence of each entry, where all of them were new. */
const countUp = (copies: ReadonlyMap<string, FeedRecord>, { count, last }: Inserted): ReadonlyMap<string, number> =>
  new Map(Array.from(copies.keys(), (key, index) => [key, last - count + 1 + index]))

/** The slots of records that all were new, none of them twice. */
const countUpSlots = ({ count, last }: Inserted): ReadonlyArray<Appended> =>
  Array.from({ length: count }, (_, index) => ({ sequence: last - count + 1 + index, isNew: true }))

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
export const append = (
  database: Database,
  insert: Insert,
  { known, records, storeId }: Append
): Effect.Effect<ReadonlyArray<Appended>, AppendError> => {
  if (records.length === 0) {
    return known === undefined ? Effect.succeed([]) : Effect.as(findStore(database, operation, storeId, known), [])
  }
  const copies = firstCopies(records)
  const entries = Array.from(copies.values(), toNewEntry)
  const added: StoreAppend = { storeId, entries, known }
  const slotsOf = (inserted: Inserted | undefined): Effect.Effect<ReadonlyArray<Appended>, AppendError> => {
    if (inserted?.count === records.length) return Effect.succeed(countUpSlots(inserted))
    if (inserted?.count === entries.length) return Effect.succeed(toSlots(records, countUp(copies, inserted), inserted))
    const ids = entries.map(({ id }) => id)
    return Effect.flatMap(findSequences(database, operation, storeId, ids), (sequences) =>
      sequences.size === entries.length
        ? Effect.succeed(toSlots(records, sequences, inserted))
        : // Neither inserted nor there: the store's row was made in between, or the store erased.
          Effect.flatMap(insertNew(database, insert, added), slotsOf)
    )
  }
  return Effect.flatMap(insertNew(database, insert, added), slotsOf)
}
