import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"

const operation = "FeedStore.survivors"

/** The entries of a store up to a sequence. */
export interface Beginning {
  /** What the other tables call the store. */
  readonly store: number
  /** Its last sequence. */
  readonly toSequence: number
}

interface StoreRow {
  readonly id: number
  readonly head: BigInteger
  readonly first_id: Uint8Array | null
}

/** A store that has entries, with the id of the first. */
const findStore = (database: Database, storeId: StoreId): Effect.Effect<StoreRow | undefined, StorageError> =>
  attempt(database, operation, async () => {
    const { connection, tables } = database
    const { rows } = await sql<StoreRow>`
      select id, head, (
        select entry_id from ${tables.entries} where store = ${tables.stores}.id and sequence = 1
      ) as first_id
      from ${tables.stores} where store_id = ${storeId} and erased = 0`.execute(connection)
    return rows[0]
  })

/**
 * The least sequence of an entry with a greater id, if there is one. It reads the entries with greater ids, and none of the
 * others: a bare sequence has an index of its own, along which all before the first one would be looked at.
 */
const findYounger = (
  database: Database,
  store: number,
  toId: Buffer
): Effect.Effect<number | undefined, StorageError> =>
  attempt(database, operation, async () => {
    const { connection, tables } = database
    const { rows } = await sql<{ readonly least: BigInteger | null }>`
      select min(sequence + 0) as least from ${tables.entries}
      where store = ${store} and entry_id > ${toId}`.execute(connection)
    const least = rows[0]?.least ?? null
    return least === null ? undefined : toNumber(least)
  })

/**
 * The entries of a store up to a sequence, as long as their ids are not greater than one; `undefined` where there are none. A
 * store whose first entry has a greater id may have many of them, and is not looked through.
 */
export const findBeginning = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  { toId, toSequence }: { readonly toId: Buffer; readonly toSequence: number }
): Effect.fn.Return<Beginning | undefined, StorageError> {
  const store = yield* findStore(database, storeId)
  if (store === undefined || store.first_id === null || Buffer.compare(store.first_id, toId) > 0) return undefined
  const younger = yield* findYounger(database, store.id, toId)
  const end = Math.min(toSequence, toNumber(store.head), younger === undefined ? Number.POSITIVE_INFINITY : younger - 1)
  return end < 1 ? undefined : { store: store.id, toSequence: end }
})
