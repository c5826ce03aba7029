import type { Appended, FeedRecord, StorageError, StoreErasedError, StoreId } from "@eventlog-server/core"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { createStore, findStore } from "../database/stores.ts"
import { chunksOf, toBuffer, toNumber } from "../database/values.ts"
import type { Inserted, NewEntry } from "../dialects/Dialect.ts"
import type { BigInteger } from "../schema/tables.ts"
import type { Insert } from "./insert.ts"
import { firstCopies, idKey, toNewEntry } from "./newEntries.ts"

const operation = "FeedStore.append"

/** Inserts the entries that are new; `undefined` where nothing was. The first append of a store makes its row. */
const insertNew = Effect.fnUntraced(function* (
  database: Database,
  insert: Insert,
  storeId: StoreId,
  entries: ReadonlyArray<NewEntry>
): Effect.fn.Return<Inserted | undefined, StorageError | StoreErasedError> {
  const inserted = yield* insert({ storeId, entries })
  if (inserted !== undefined || (yield* findStore(database, operation, storeId))) return inserted
  yield* attempt(database, operation, () => createStore(database, storeId))
  return yield* insert({ storeId, entries })
})

/** Ids that a statement looks for at most. */
const maxIds = 1_000

/** The sequences of entries that the store has, by the keys of their ids. */
const findSequences = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>
): Effect.fn.Return<ReadonlyMap<string, number>, StorageError> {
  const { connection, tables } = database
  const sequences = new Map<string, number>()
  for (const chunk of chunksOf(records, maxIds)) {
    yield* attempt(database, operation, async () => {
      const { rows } = await sql<{ readonly entry_id: Uint8Array; readonly sequence: BigInteger }>`
        select entry_id, sequence from ${tables.entries}
        where store = (select id from ${tables.stores} where store_id = ${storeId})
        and entry_id in (${sql.join(chunk.map(({ entry }) => toBuffer(entry.id)))})`.execute(connection)
      for (const { entry_id, sequence } of rows) sequences.set(idKey(entry_id), toNumber(sequence))
    })
  }
  return sequences
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
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>
): Effect.fn.Return<ReadonlyArray<Appended>, StorageError | StoreErasedError> {
  if (records.length === 0) return []
  const copies = firstCopies(records)
  const firsts = Array.from(copies.values())
  const entries = firsts.map(toNewEntry)
  while (true) {
    const inserted = yield* insertNew(database, insert, storeId, entries)
    const sequences =
      inserted?.count === firsts.length ? countUp(copies, inserted) : yield* findSequences(database, storeId, firsts)
    // Entries that were neither inserted nor there: the store's row was made in between, or the store erased.
    if (sequences.size === firsts.length) return toSlots(records, sequences, inserted)
  }
})
