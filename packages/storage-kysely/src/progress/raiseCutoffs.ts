import {
  type CompactionGroup,
  type CutoffRequest,
  raiseGroups,
  type StorageError,
  type StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { createStore } from "../database/stores.ts"
import type { Connection } from "../database/Target.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger, GroupRow, StoreRow } from "../schema/tables.ts"

/** What is known of a store at a time. */
interface Snapshot {
  /** `undefined` where the store has no row. */
  readonly store: Pick<StoreRow, "id" | "erased"> | undefined
  readonly now: number
  readonly groups: ReadonlyArray<CompactionGroup>
}

const readSnapshot = async ({ dialect, tables }: Database, on: Connection, storeId: StoreId): Promise<Snapshot> => {
  const { rows } = await sql<
    Pick<StoreRow, "id" | "erased"> & { readonly now: BigInteger } & (
        | Pick<GroupRow, "events" | "cutoff">
        | { readonly events: null }
      )
  >`
    select s.id, s.erased, ${dialect.now} as now, g.events, g.cutoff from ${tables.stores} as s
    left join ${tables.groups} as g on g.store = s.id
    where s.store_id = ${storeId} order by g.place`.execute(on)
  const [store] = rows
  return {
    store,
    now: store === undefined ? 0 : toNumber(store.now),
    groups: rows.flatMap((row) =>
      row.events === null ? [] : { events: JSON.parse(row.events), cutoff: toNumber(row.cutoff) }
    )
  }
}

/** Writes the groups that differ from those before. */
const writeGroups = async (
  { tables }: Database,
  on: Connection,
  store: number,
  before: ReadonlyArray<CompactionGroup>,
  after: ReadonlyArray<CompactionGroup>
): Promise<void> => {
  for (const [index, { cutoff, events }] of after.entries()) {
    if (after[index] === before[index]) continue
    const place = index + 1
    await (index < before.length
      ? sql`update ${tables.groups} set cutoff = ${cutoff} where store = ${store} and place = ${place}`
      : sql`insert into ${tables.groups} (store, place, events, cutoff)
          values (${store}, ${place}, ${JSON.stringify(events)}, ${cutoff})`
    ).execute(on)
  }
}

/** Raises under a lock on the store's row, which an update takes that changes nothing. */
const raiseLocked = (
  database: Database,
  storeId: StoreId,
  requests: ReadonlyArray<CutoffRequest>
): Promise<ReadonlyArray<CompactionGroup>> =>
  database.connection.transaction().execute(async (transaction) => {
    await sql`update ${database.tables.stores} set erased = erased where store_id = ${storeId}`.execute(transaction)
    const { groups, now, store } = await readSnapshot(database, transaction, storeId)
    if (store === undefined || store.erased !== 0) return []
    const raised = raiseGroups(groups, requests, now)
    await writeGroups(database, transaction, store.id, groups, raised)
    return raised
  })

/**
 * `StoreProgress.raiseCutoffs`. Cut-offs move by whole minutes, so most calls find that nothing is to be done: they read,
 * and lock nothing.
 */
export const raiseCutoffs = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  requests: ReadonlyArray<CutoffRequest>
): Effect.fn.Return<ReadonlyArray<CompactionGroup>, StorageError> {
  const run = <A>(call: () => Promise<A>) => attempt(database, "StoreProgress.raiseCutoffs", call)
  const { groups, now, store } = yield* run(() => readSnapshot(database, database.connection, storeId))
  if (store !== undefined && store.erased !== 0) return []
  if (store === undefined) {
    if (requests.length === 0) return []
    yield* run(() => createStore(database, storeId))
  } else {
    const raised = raiseGroups(groups, requests, now)
    if (raised.length === groups.length && raised.every((group, index) => group === groups[index])) return groups
  }
  return yield* run(() => raiseLocked(database, storeId, requests))
})
