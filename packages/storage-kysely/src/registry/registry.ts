import { EventLogServerStoreRegistryError, type KeyMapping, type StoreId } from "@eventlog-server/core"
import { Effect, Stream } from "effect"
import { sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { ownBytes, toBuffer } from "../database/values.ts"
import type { KeyRow } from "../schema/tables.ts"
import { notMapped, type Registry, run } from "./calls.ts"
import { makeResolve } from "./resolve.ts"

const alreadyAssigned = (publicKey: string, storeId: StoreId) =>
  new EventLogServerStoreRegistryError({ reason: "AlreadyAssigned", publicKey, storeId })

const toMapping = (row: KeyRow): KeyMapping => ({
  publicKey: row.public_key,
  storeId: row.store_id as StoreId,
  signingPublicKey: row.signing_public_key === null ? undefined : ownBytes(row.signing_public_key)
})

/** The mapping of a key that isn't removed. */
const find = Effect.fnUntraced(function* (
  database: Database,
  member: keyof Registry,
  publicKey: string
): Effect.fn.Return<KeyMapping, EventLogServerStoreRegistryError> {
  const { connection, tables } = database
  const { rows } = yield* run(database, member, () =>
    sql<KeyRow>`select * from ${tables.keys} where public_key = ${publicKey} and removed = 0`.execute(connection)
  )
  const [row] = rows
  return row === undefined ? yield* notMapped(publicKey) : toMapping(row)
})

/** Maps a key that was never mapped, with its signing key. Does nothing to one that was. */
const insert = (
  { connection, dialect, tables }: Database,
  publicKey: string,
  storeId: StoreId,
  signingPublicKey: Uint8Array | undefined
): Promise<unknown> =>
  dialect
    .insertNew(tables.keys, {
      public_key: publicKey,
      store_id: storeId,
      signing_public_key: signingPublicKey === undefined ? null : toBuffer(signingPublicKey)
    })
    .execute(connection)

const assign = Effect.fnUntraced(function* (
  database: Database,
  { publicKey, signingPublicKey, storeId }: Parameters<Registry["assign"]>[0]
): Effect.fn.Return<void, EventLogServerStoreRegistryError> {
  const { connection, tables } = database
  yield* run(database, "assign", () => insert(database, publicKey, storeId, signingPublicKey))
  const signing = signingPublicKey === undefined ? sql`` : sql`, signing_public_key = ${toBuffer(signingPublicKey)}`
  const { numAffectedRows } = yield* run(database, "assign", () =>
    sql`update ${tables.keys} set removed = 0 ${signing}
      where public_key = ${publicKey} and store_id = ${storeId}`.execute(connection)
  )
  if (numAffectedRows === 0n) return yield* alreadyAssigned(publicKey, storeId)
})

const enroll = Effect.fnUntraced(function* (
  database: Database,
  { publicKey, signingPublicKey, storeId }: Parameters<Registry["enroll"]>[0]
): Effect.fn.Return<KeyMapping, EventLogServerStoreRegistryError> {
  yield* run(database, "enroll", () => insert(database, publicKey, storeId, signingPublicKey))
  return yield* find(database, "enroll", publicKey)
})

const bind = Effect.fnUntraced(function* (
  database: Database,
  { publicKey, signingPublicKey }: Parameters<Registry["bind"]>[0]
): Effect.fn.Return<Uint8Array, EventLogServerStoreRegistryError> {
  const { connection, tables } = database
  yield* run(database, "bind", () =>
    sql`update ${tables.keys} set signing_public_key = ${toBuffer(signingPublicKey)}
      where public_key = ${publicKey} and removed = 0 and signing_public_key is null`.execute(connection)
  )
  const { signingPublicKey: bound } = yield* find(database, "bind", publicKey)
  // Cleared by hand in between: nothing is bound, so the key is as good as not mapped.
  return bound ?? (yield* notMapped(publicKey))
})

const list = (
  database: Database,
  after: string | undefined,
  limit: number
): Effect.Effect<ReadonlyArray<KeyMapping>, EventLogServerStoreRegistryError> => {
  const { connection, tables } = database
  const rest = after === undefined ? sql`` : sql`and public_key > ${after}`
  return Effect.map(
    run(database, "list", () =>
      sql<KeyRow>`select * from ${tables.keys} where removed = 0 ${rest}
        order by public_key limit ${limit}`.execute(connection)
    ),
    ({ rows }) => rows.map(toMapping)
  )
}

/**
 * `EventLogServerStoreRegistry`. Every member changes something in one statement at most, and reads afterwards what is in
 * force, so that none needs a transaction: of two that race one stands, whole.
 */
export const makeRegistry = (database: Database): Registry => ({
  resolve: makeResolve(database),
  assign: (options) => assign(database, options),
  enroll: (options) => enroll(database, options),
  bind: (options) => bind(database, options),
  remove: (publicKey) =>
    Effect.asVoid(
      run(database, "remove", () =>
        sql`update ${database.tables.keys} set removed = 1 where public_key = ${publicKey}`.execute(database.connection)
      )
    ),
  list: (after, limit) => list(database, after, limit),
  changes: Stream.concat(Stream.make("any" as const), Stream.never)
})
