import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core"
import { Effect, Option, Schedule, type Scope } from "effect"
import { type RawBuilder, sql } from "kysely"
import { beforeLeaving } from "../database/beforeLeaving.ts"
import { attempt, type Database } from "../database/Database.ts"
import { createStore, findStore } from "../database/stores.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"
import type { Advance } from "./advance.ts"

const operation = "StoreProgress.lease"

/** How many rows an update met. */
const execute = (database: Database, update: RawBuilder<unknown>): Effect.Effect<number, StorageError> =>
  Effect.map(
    attempt(database, operation, () => update.execute(database.connection)),
    ({ numAffectedRows }) => Number(numAffectedRows ?? 0n)
  )

/** A lease as its holder knows it. The token is the holder's alone, and so the fence of everything that it does. */
interface Held {
  readonly storeId: StoreId
  readonly token: string
}

const free = ({ tables }: Database, { storeId, token }: Held) =>
  sql`update ${tables.stores} set lease_holder = null, lease_until = 0
    where store_id = ${storeId} and lease_holder = ${token}`

const renew = ({ dialect, tables }: Database, { storeId, token }: Held, leaseMillis: number) =>
  sql`update ${tables.stores} set lease_until = ${dialect.now} + ${leaseMillis}
    where store_id = ${storeId} and lease_holder = ${token} and lease_until > ${dialect.now}`

const seize = ({ dialect, tables }: Database, { storeId, token }: Held, leaseMillis: number) =>
  sql`update ${tables.stores} set lease_holder = ${token}, lease_until = ${dialect.now} + ${leaseMillis}
    where store_id = ${storeId} and erased = 0 and lease_until <= ${dialect.now}`

/** The cursor of whoever holds the lease by a token. */
const readCursor = (database: Database, { storeId, token }: Held): Effect.Effect<number | undefined, StorageError> =>
  attempt(database, operation, async () => {
    const { rows } = await sql<{ readonly processed: BigInteger }>`select processed from ${database.tables.stores}
      where store_id = ${storeId} and lease_holder = ${token}`.execute(database.connection)
    return rows[0] && toNumber(rows[0].processed)
  })

/** Whether the store has a row, also one that was erased. */
const hasRow = (database: Database, storeId: StoreId): Effect.Effect<boolean, StorageError> =>
  Effect.catchTag(findStore(database, operation, storeId), "StoreErasedError", () => Effect.succeed(true))

/** Takes the lease unless somebody holds it; answers the cursor. */
const take = Effect.fnUntraced(function* (
  database: Database,
  held: Held,
  leaseMillis: number
): Effect.fn.Return<number | undefined, StorageError> {
  if ((yield* execute(database, seize(database, held, leaseMillis))) === 0) {
    // Only a store without a row may get one: an insert that does nothing uses up a number all the same.
    if (yield* hasRow(database, held.storeId)) return undefined
    yield* attempt(database, operation, () => createStore(database, held.storeId))
    if ((yield* execute(database, seize(database, held, leaseMillis))) === 0) return undefined
  }
  return yield* readCursor(database, held)
})

/** Keeps a lease alive until it is lost. While the database is away there is nothing to do but to try again. */
const keep = (database: Database, held: Held, leaseMillis: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    let pause = leaseMillis / 3
    while (true) {
      yield* Effect.sleep(pause)
      const renewed = yield* Effect.option(execute(database, renew(database, held, leaseMillis)))
      if (Option.isSome(renewed) && renewed.value === 0) return
      pause = Option.isSome(renewed) ? leaseMillis / 3 : leaseMillis / 30
    }
  })

/**
 * Gives back a lease that may have been taken, though nobody was told so: as soon as the database answers again, and at
 * the latest when it has run out anyway.
 */
const giveBackUnknown = (database: Database, held: Held, leaseMillis: number): Effect.Effect<void> =>
  execute(database, free(database, held)).pipe(
    Effect.retry(Schedule.spaced(Math.min(1_000, leaseMillis / 10))),
    Effect.timeoutOption(leaseMillis),
    Effect.interruptible,
    Effect.forkDetach,
    Effect.asVoid
  )

/** How long giving a lease back may take; where that fails it runs out by itself. */
const releaseMillis = 5_000

const release = (database: Database, held: Held): Effect.Effect<void> =>
  beforeLeaving(execute(database, free(database, held)), releaseMillis)

const leaseOf = (advance: Advance, held: Held, cursor: number): Omit<Lease, "transaction"> => ({
  cursor,
  advance: (sequence) =>
    Effect.flatMap(advance({ ...held, sequence }), (isHeld) =>
      isHeld ? Effect.void : Effect.fail(new LeaseLostError({ storeId: held.storeId }))
    )
})

/** Adds to a lease, by the token that it is held by. */
export type ExtendLease = (lease: Omit<Lease, "transaction">, storeId: StoreId, token: string) => Lease

/** `StoreProgress.lease`. */
export const lease = (
  database: Database,
  advance: Advance,
  leaseMillis: number,
  extend: ExtendLease,
  storeId: StoreId
): Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const held: Held = { storeId, token: crypto.randomUUID() }
    const taken = Effect.tapError(take(database, held, leaseMillis), () => giveBackUnknown(database, held, leaseMillis))
    const cursor = yield* Effect.acquireRelease(taken, (cursor) =>
      cursor === undefined ? Effect.void : release(database, held)
    )
    if (cursor === undefined) return Option.none()
    yield* Effect.forkScoped(keep(database, held, leaseMillis))
    return Option.some(extend(leaseOf(advance, held, cursor), storeId, held.token))
  })
