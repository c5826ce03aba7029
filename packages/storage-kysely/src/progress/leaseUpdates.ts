import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect, Option } from "effect"
import { sql } from "kysely"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import type { Later } from "../database/gather.ts"
import { holds } from "../database/known.ts"
import { createStore } from "../database/stores.ts"
import {
  type CursorRow,
  type LeaseCall,
  type StoreCursor,
  type StoreUpdate,
  type StoreUpdateOf,
  toCursor
} from "../dialects/StoreUpdates.ts"
import type { StoreRow } from "../schema/tables.ts"

/** A lease as its holder knows it. The token is the holder's alone, and so the fence of everything that it does. */
export interface Held {
  readonly storeId: StoreId
  readonly token: string
}

/** An update of the store's row by whoever holds its lease; tells whether there was such a row. */
export type Update<Call> = (call: Call) => Effect.Effect<boolean, StorageError>

/** What is done to the rows of stores for their leases: to several in one step, where it is asked for at the same time. */
export interface LeaseUpdates {
  /** Takes the lease unless somebody holds it, and returns how far the store was processed. */
  readonly take: (held: Held) => Effect.Effect<Option.Option<StoreCursor>, StorageError>
  readonly renew: Update<Held>
  readonly free: Update<Held>
  readonly advance: Update<Held & Required<LeaseCall>>
}

/** Stores that are updated in one step, at most. */
const maxStores = 100

/** What nobody waits for waits for others: 5 ms. */
const soon: Later = (flush) => void setTimeout(flush, 5)

/** How an update is made. */
interface UpdateOptions {
  readonly operation: string
  readonly updateOf: StoreUpdateOf
  readonly later?: Later | undefined
}

/** Updates the row of one store, and waits for whoever holds it. Returns whether it met the condition. */
const updateAlone = (
  database: Database,
  { operation, updateOf }: UpdateOptions,
  { processed, storeId, token }: LeaseCall
): Effect.Effect<boolean, StorageError> =>
  attempt(database, operation, async () => {
    const { run, tables } = database
    const { set, where } = updateOf({
      token: sql.val(token),
      sequence: sql.val(processed?.sequence ?? 0),
      holds: processed === undefined ? sql`0 = 1` : holds(tables, sql`s.id`, processed)
    })
    const { numAffectedRows } = await run(sql`
      update ${tables.stores} as s set ${set} where s.store_id = ${storeId} and ${where}`)
    return numAffectedRows === 1n
  })

/** Updates the rows of stores as `Dialect.updateStores` does; of several calls for a store one. */
const updateTogether = (
  database: Database,
  { operation, updateOf }: UpdateOptions,
  calls: ReadonlyArray<LeaseCall>
): Effect.Effect<ReadonlyMap<number, StoreCursor>, StorageError> =>
  attempt(database, operation, async () => {
    const places = Array.from(new Map(calls.map(({ storeId }, place) => [storeId, place])).values())
    const different = places.map((place) => calls[place]!)
    const cursors = await database.dialect.updateStores(database, different, updateOf)
    return new Map(Array.from(cursors, ([index, cursor]) => [places[index]!, cursor]))
  })

const makeUpdate = <Call extends LeaseCall>(database: Database, options: UpdateOptions): Update<Call> =>
  combine<Call, boolean, StorageError>({
    alone: (call) => updateAlone(database, options, call),
    together: (calls) =>
      Effect.map(
        updateTogether(database, options, calls),
        (cursors) => new Map(Array.from(cursors.keys(), (index) => [index, true]))
      ),
    weigh: () => 1,
    maxWeight: maxStores,
    later: options.later
  })

/** What somebody finds who tried to take a lease; `undefined` where the store has no row. */
const findLease = (
  database: Database,
  operation: string,
  { storeId, token }: Held
): Effect.Effect<Option.Option<StoreCursor> | undefined, StorageError> =>
  attempt(database, operation, async () => {
    const { run, tables } = database
    const { rows } = await run(sql<CursorRow & Pick<StoreRow, "lease_holder">>`
      select lease_holder, processed, replay_to, rewind_to from ${tables.stores} where store_id = ${storeId}`)
    const [row] = rows
    return row && (row.lease_holder === token ? Option.some(toCursor(row)) : Option.none())
  })

/** A try whose answer was lost may have taken the lease already. */
const takeAlone = Effect.fnUntraced(function* (
  database: Database,
  options: UpdateOptions,
  held: Held
): Effect.fn.Return<Option.Option<StoreCursor>, StorageError> {
  const { operation } = options
  yield* updateAlone(database, options, held)
  const found = yield* findLease(database, operation, held)
  if (found !== undefined) return found
  // Only a store without a row may get one: an insert that does nothing uses up a number all the same.
  yield* attempt(database, operation, () => createStore(database, held.storeId))
  yield* updateAlone(database, options, held)
  return (yield* findLease(database, operation, held)) ?? Option.none()
})

/** Which of the stores nobody can take the lease of, by their places. */
const findBusy = (
  database: Database,
  operation: string,
  wanted: ReadonlyMap<StoreId, number>
): Effect.Effect<ReadonlyArray<number>, StorageError> =>
  attempt(database, operation, async () => {
    const { connection, dialect, tables } = database
    const { rows } = await sql<Pick<StoreRow, "store_id">>`select store_id from ${tables.stores}
      where store_id in (${sql.join(Array.from(wanted.keys()))})
      and (erased <> 0 or lease_until > ${dialect.now})`.execute(connection)
    return rows.map(({ store_id }) => wanted.get(store_id as StoreId)!)
  })

/** Where many leases are others', a look at all of them spares a try at each. */
const takeTogether = Effect.fnUntraced(function* (
  database: Database,
  options: UpdateOptions,
  calls: ReadonlyArray<Held>
): Effect.fn.Return<ReadonlyMap<number, Option.Option<StoreCursor>>, StorageError> {
  const cursors = yield* updateTogether(database, options, calls)
  const found = new Map(Array.from(cursors, ([place, cursor]) => [place, Option.some(cursor)]))
  const taken = new Set(Array.from(cursors.keys(), (place) => calls[place]!.storeId))
  const left = new Map(calls.flatMap(({ storeId }, place) => (taken.has(storeId) ? [] : [[storeId, place] as const])))
  const busy = left.size === 0 ? [] : yield* findBusy(database, options.operation, left)
  return new Map([...found, ...busy.map((place) => [place, Option.none()] as const)])
})

/** How each of them changes the row of a store. */
const updatesOf = (
  { dialect: { now, withoutFlush } }: Database,
  leaseMillis: number
): Record<keyof LeaseUpdates, StoreUpdateOf> => {
  /** What is repeated after a crash of the database, or runs out by itself. */
  const soon = ({ set, where }: StoreUpdate): StoreUpdate => ({
    set,
    where: withoutFlush === undefined ? where : sql`${where} and ${withoutFlush}`
  })
  return {
    take: ({ token }) => ({
      set: sql`lease_holder = ${token}, lease_until = ${now} + ${leaseMillis}`,
      where: sql`s.erased = 0 and s.lease_until <= ${now}`
    }),
    renew: ({ token }) =>
      soon({
        set: sql`lease_until = ${now} + ${leaseMillis}`,
        where: sql`s.lease_holder = ${token} and s.lease_until > ${now}`
      }),
    free: ({ token }) =>
      soon({ set: sql`lease_holder = null, lease_until = 0`, where: sql`s.lease_holder = ${token}` }),
    advance: ({ holds, sequence, token }) =>
      soon({
        set: sql`processed = case when s.processed < ${sequence} then ${sequence} else s.processed end`,
        where: sql`s.lease_holder = ${token} and s.lease_until > ${now} and s.rewind_to is null and ${holds}`
      })
  }
}

/** Makes what is done for leases. */
export const makeLeaseUpdates = (database: Database, leaseMillis: number): LeaseUpdates => {
  const { advance, free, renew, take } = updatesOf(database, leaseMillis)
  const operation = "StoreProgress.lease"
  const taking: UpdateOptions = { operation, updateOf: take }
  return {
    take: combine<Held, Option.Option<StoreCursor>, StorageError>({
      alone: (held) => takeAlone(database, taking, held),
      together: (calls) => takeTogether(database, taking, calls),
      weigh: () => 1,
      maxWeight: maxStores
    }),
    renew: makeUpdate(database, { operation, updateOf: renew, later: soon }),
    free: makeUpdate(database, { operation, updateOf: free, later: soon }),
    advance: makeUpdate(database, { operation: "Lease.advance", updateOf: advance })
  }
}
