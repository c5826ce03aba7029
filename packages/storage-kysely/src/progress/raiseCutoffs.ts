import {
  type CompactionGroup,
  type CutoffRequest,
  raiseGroups,
  type StorageError,
  type StoreId,
  type StoreProgress
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import { combine } from "../database/combine.ts"
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

type SnapshotRow = Pick<StoreRow, "id" | "store_id" | "erased"> & { readonly now: BigInteger } & (
    | Pick<GroupRow, "events" | "cutoff">
    | { readonly events: null }
  )

/** Selects the groups of stores, and what the backend's clock says. */
const selectSnapshots = ({ dialect, tables }: Database, ofStores: RawBuilder<unknown>) => sql<SnapshotRow>`
  select s.id, s.store_id, s.erased, ${dialect.now} as now, g.events, g.cutoff from ${tables.stores} as s
  left join ${tables.groups} as g on g.store = s.id
  where s.store_id ${ofStores} order by g.place`

/** What rows say of the one store that they are of. */
const toSnapshot = (rows: ReadonlyArray<SnapshotRow>): Snapshot => {
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
    const { rows } = await selectSnapshots(database, sql`= ${storeId}`).execute(transaction)
    const { groups, now, store } = toSnapshot(rows)
    if (store === undefined || store.erased !== 0) return []
    const raised = raiseGroups(groups, requests, now)
    await writeGroups(database, transaction, store.id, groups, raised)
    return raised
  })

const operation = "StoreProgress.raiseCutoffs"

/** Stores that one statement reads the groups of, at most. */
const maxStores = 100

/** Reads what is known of a store: of all that are asked for at the same time in one statement, as devices come in crowds. */
const makeRead = (database: Database): ((storeId: StoreId) => Effect.Effect<Snapshot, StorageError>) =>
  combine<StoreId, Snapshot, StorageError>({
    alone: (storeId) =>
      attempt(database, operation, async () => {
        const { rows } = await database.run(selectSnapshots(database, sql`= ${storeId}`))
        return toSnapshot(rows)
      }),
    together: (storeIds) =>
      attempt(database, operation, async () => {
        const different = Array.from(new Set(storeIds))
        const { rows } = await selectSnapshots(database, sql`in (${sql.join(different)})`).execute(database.connection)
        const ofStores = Map.groupBy(rows, ({ store_id }) => store_id)
        return new Map(storeIds.map((storeId, index) => [index, toSnapshot(ofStores.get(storeId) ?? [])]))
      }),
    weigh: () => 1,
    maxWeight: maxStores
  })

/**
 * Makes `StoreProgress.raiseCutoffs`. Cut-offs move by whole minutes, so most calls find that nothing is to be done: they
 * read, and lock nothing.
 */
export const makeRaiseCutoffs = (database: Database): StoreProgress["Service"]["raiseCutoffs"] => {
  const read = makeRead(database)
  const run = <A>(call: () => Promise<A>) => attempt(database, operation, call)
  return Effect.fnUntraced(function* (storeId, requests) {
    const { groups, now, store } = yield* read(storeId)
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
}
