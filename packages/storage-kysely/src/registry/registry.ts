import {
  EventLogServerStoreRegistryError,
  type KeyMapping,
  type KeysQuery,
  type StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { ownBytes, toBuffer } from "../database/values.ts"
import type { AccessNotes } from "../wakeups/accessNotes.ts"
import { notMapped, type Registry, run } from "./calls.ts"
import { change } from "./change.ts"
import { type FindKey, type FoundKey, makeFind } from "./find.ts"

/** What the members of the registry work with. */
interface Parts {
  readonly database: Database
  readonly access: AccessNotes
  readonly find: FindKey
}

const alreadyAssigned = (publicKey: string, storeId: StoreId) =>
  new EventLogServerStoreRegistryError({ reason: "AlreadyAssigned", publicKey, storeId })

const toMapping = (row: FoundKey): KeyMapping => ({
  publicKey: row.public_key,
  storeId: row.store_id as StoreId,
  signingPublicKey: row.signing_public_key === null ? undefined : ownBytes(row.signing_public_key)
})

/** The mapping of a key that isn't removed. */
const findMapping = ({ find }: Parts, publicKey: string): Effect.Effect<KeyMapping, EventLogServerStoreRegistryError> =>
  Effect.flatMap(find(publicKey), (row) =>
    row === undefined || row.removed !== 0 ? Effect.fail(notMapped(publicKey)) : Effect.succeed(toMapping(row))
  )

/** Maps a key that was never mapped, with its signing key. Does nothing to one that was. */
const insert = (
  { connection, dialect, tables }: Database,
  { publicKey, signingPublicKey, storeId }: Parameters<Registry["assign"]>[0]
): Promise<unknown> =>
  dialect.writes
    .insertNew(tables.keys, {
      public_key: publicKey,
      store_id: storeId,
      signing_public_key: signingPublicKey === undefined ? null : toBuffer(signingPublicKey)
    })
    .execute(connection)

/** Whether a key that is mapped has this signing key, or any where none is given. */
const isAsAssigned = (row: FoundKey, signingPublicKey: Uint8Array | undefined): boolean => {
  const { removed, signing_public_key: bound } = row
  if (removed !== 0) return false
  return signingPublicKey === undefined || (bound !== null && toBuffer(bound).equals(signingPublicKey))
}

const assign = Effect.fnUntraced(function* (
  { access, database, find }: Parts,
  mapping: Parameters<Registry["assign"]>[0]
): Effect.fn.Return<void, EventLogServerStoreRegistryError> {
  const { publicKey, signingPublicKey, storeId } = mapping
  yield* run(database, "assign", () => insert(database, mapping))
  const row = yield* find(publicKey)
  // The store of a key never changes.
  if (row?.store_id !== storeId) return yield* alreadyAssigned(publicKey, storeId)
  if (isAsAssigned(row, signingPublicKey)) return
  const signing = signingPublicKey === undefined ? sql`` : sql`, signing_public_key = ${toBuffer(signingPublicKey)}`
  const update = sql`update ${database.tables.keys} set removed = 0 ${signing} where public_key = ${publicKey}`
  yield* change(database, access, { member: "assign", publicKey, update })
})

const enroll = (
  parts: Parts,
  mapping: Parameters<Registry["enroll"]>[0]
): Effect.Effect<KeyMapping, EventLogServerStoreRegistryError> =>
  Effect.andThen(
    run(parts.database, "enroll", () => insert(parts.database, mapping)),
    findMapping(parts, mapping.publicKey)
  )

/** Asked at every check of a connection: where a signing key is bound, it only reads. */
const bind = Effect.fnUntraced(function* (
  parts: Parts,
  { publicKey, signingPublicKey }: Parameters<Registry["bind"]>[0]
): Effect.fn.Return<Uint8Array, EventLogServerStoreRegistryError> {
  const { database } = parts
  const before = yield* findMapping(parts, publicKey)
  if (before.signingPublicKey !== undefined) return before.signingPublicKey
  const update = sql`update ${database.tables.keys} set signing_public_key = ${toBuffer(signingPublicKey)}
    where public_key = ${publicKey} and removed = 0 and signing_public_key is null`
  // Nobody can have been granted anything with another signing key, so there is nobody to be told.
  yield* run(database, "bind", () => update.execute(database.connection))
  const { signingPublicKey: bound } = yield* findMapping(parts, publicKey)
  // Cleared by hand in between: nothing is bound, so the key is as good as not mapped.
  return bound === undefined ? yield* notMapped(publicKey) : bound
})

const remove = (
  { access, database }: Parts,
  publicKey: string
): Effect.Effect<void, EventLogServerStoreRegistryError> => {
  const update = sql`update ${database.tables.keys} set removed = 1 where public_key = ${publicKey} and removed = 0`
  return change(database, access, { member: "remove", publicKey, update })
}

const list = (
  database: Database,
  { after, limit, storeId }: KeysQuery
): Effect.Effect<ReadonlyArray<KeyMapping>, EventLogServerStoreRegistryError> => {
  const { connection, tables } = database
  const ofStore = storeId === undefined ? sql`` : sql`and store_id = ${storeId}`
  const rest = after === undefined ? sql`` : sql`and public_key > ${after}`
  return Effect.map(
    run(database, "list", () =>
      sql<FoundKey>`select * from ${tables.keys} where removed = 0 ${ofStore} ${rest}
        order by public_key limit ${limit}`.execute(connection)
    ),
    ({ rows }) => rows.map(toMapping)
  )
}

/**
 * `EventLogServerStoreRegistry`. Every member changes a key's row in one statement at most, which says what it expects to
 * find, and reads afterwards what is in force: of two that race one stands, whole.
 */
export const makeRegistry = (database: Database, access: AccessNotes): Registry => {
  const parts: Parts = { database, access, find: makeFind(database) }
  return {
    resolve: (publicKey) => Effect.map(findMapping(parts, publicKey), ({ storeId }) => storeId),
    assign: (options) => assign(parts, options),
    enroll: (options) => enroll(parts, options),
    bind: (options) => bind(parts, options),
    remove: (publicKey) => remove(parts, publicKey),
    list: (query) => list(database, query),
    changes: access.listeners.changes
  }
}
