import { sql } from "kysely"
import { toNumber } from "../database/values.ts"
import type { BigInteger, Tables } from "../schema/tables.ts"
import { codeOf, isNetworkFailure } from "./connectionFailures.ts"
import type { Connection, Dialect, Failure, Inserted, NewEntry } from "./Dialect.ts"
import { unionAll } from "./unionAll.ts"

/** By code points, and trailing spaces count: the same collation by two names, each read by its own server only. */
const exactText = sql.raw(
  "character set utf8mb4 /*!80017 collate utf8mb4_0900_bin */ /*M!100000 collate utf8mb4_nopad_bin */"
)

/** `max_allowed_packet` is 16 MiB where nobody raised it; an entry that is larger than this travels alone. */
const maxStatementBytes = 8 * 1024 * 1024

const maxStatementRows = 500

/** What an entry can take up in the text of a statement: bytes become two digits each, a character up to three bytes. */
const statementBytes = ({ author, event, payload, primaryKey }: NewEntry): number =>
  200 + 2 * payload.byteLength + 3 * (event.length + primaryKey.length + (author?.length ?? 0))

/** The entries in order, in parts that a statement can carry. */
const partsOf = (entries: ReadonlyArray<NewEntry>): ReadonlyArray<ReadonlyArray<NewEntry>> => {
  const parts: Array<Array<NewEntry>> = []
  let bytes = 0
  for (const entry of entries) {
    const part = parts.at(-1)
    const more = statementBytes(entry)
    if (part === undefined || part.length === maxStatementRows || bytes + more > maxStatementBytes) {
      parts.push([entry])
      bytes = more
    } else {
      part.push(entry)
      bytes += more
    }
  }
  return parts
}

interface LockedStore {
  readonly id: number
  readonly head: number
  /** Which of the ids the store has, in hexadecimal digits. */
  readonly known: ReadonlySet<string>
}

/**
 * Locks the row of a store, and then finds which entries it has. A read that locks sees what is committed, not a snapshot:
 * so it finds what whoever held the lock has inserted, in the same round trip.
 */
const lockStore = async (
  on: Connection,
  { entries, stores }: Tables,
  storeId: string,
  newEntries: ReadonlyArray<NewEntry>
): Promise<LockedStore | undefined> => {
  const { rows } = await sql<{
    readonly id: number
    readonly head: BigInteger
    readonly entry_id: Buffer | null
  }>`
    select s.id, s.head, e.entry_id from ${stores} as s
    left join ${entries} as e on e.store = s.id and e.entry_id in (${sql.join(newEntries.map(({ id }) => id))})
    where s.store_id = ${storeId} and s.erased = 0 for update`.execute(on)
  const [store] = rows
  if (store === undefined) return undefined
  const known = new Set(rows.flatMap(({ entry_id }) => (entry_id === null ? [] : entry_id.toString("hex"))))
  return { id: store.id, head: toNumber(store.head), known }
}

const insert = (
  on: Connection,
  { entries }: Tables,
  store: number,
  first: number,
  part: ReadonlyArray<NewEntry>
): Promise<unknown> => {
  const rows = part.map(
    ({ author, bucket, bytes, event, id, payload, primaryKey, transportOnly }, index) =>
      sql`(${store}, ${first + index}, ${id}, ${bucket}, ${event}, ${primaryKey}, ${author}, ${transportOnly}, ${bytes},
        ${payload})`
  )
  return sql`
    insert into ${entries} (
      store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
    ) values ${sql.join(rows)}`.execute(on)
}

/**
 * A transaction, since nothing here answers what it inserted, and a batch may not fit in a statement. At `read committed` a
 * search locks the entries that it finds and no gaps beside them, where other stores insert theirs.
 */
const append: Dialect["append"] = (connection, tables, storeId, newEntries) =>
  connection
    .transaction()
    .setIsolationLevel("read committed")
    .execute(async (transaction): Promise<Inserted | undefined> => {
      const store = await lockStore(transaction, tables, storeId, newEntries)
      const fresh = newEntries.filter(({ id }) => store?.known.has(id.toString("hex")) === false)
      if (store === undefined || fresh.length === 0) return undefined
      let last = store.head
      for (const part of partsOf(fresh)) {
        await insert(transaction, tables, store.id, last + 1, part)
        last += part.length
      }
      await sql`update ${tables.stores} set head = ${last} where id = ${store.id}`.execute(transaction)
      return { last, count: fresh.length }
    })

/** Not `insert ignore`, which cuts off text that is too long and ignores that too. */
const insertNew: Dialect["insertNew"] = (table, row) => {
  const columns = Object.keys(row).map((column) => sql.ref(column))
  return sql`insert into ${table} (${sql.join(columns)}) values (${sql.join(Object.values(row))})
    on duplicate key update ${columns[0]} = ${columns[0]}`
}

const createIndex: Dialect["createIndex"] = (connection, table, name, columns) =>
  sql`create index ${sql.id(name)} on ${table} (${sql.join(columns.map((column) => sql.ref(column)))})`
    .execute(connection)
    .catch((error: unknown) => {
      if (codeOf(error) !== "ER_DUP_KEYNAME") throw error
    })

/** The session's variables for how long a transaction waits for locks and may itself be idle, as shares of a lease. */
const waits = Object.entries({ innodb_lock_wait_timeout: 0.5, lock_wait_timeout: 0.5, wait_timeout: 1 })

/** Deadlocks; a row that changed since the snapshot; a savepoint that is gone, since a deadlock undid everything. */
const isConflict = (code: string, cause: unknown): boolean =>
  code === "ER_LOCK_DEADLOCK" ||
  code === "ER_CHECKREAD" ||
  (code === "ER_SP_DOES_NOT_EXIST" && cause instanceof Error && cause.message.includes("SAVEPOINT"))

/** Lost and refused connections, locks that weren't free in time, cancelled statements, a server that is read-only. */
const away = new Set([
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_SEQUENCE_TIMEOUT",
  "ER_CON_COUNT_ERROR",
  "ER_TOO_MANY_USER_CONNECTIONS",
  "ER_USER_LIMIT_REACHED",
  "ER_SERVER_SHUTDOWN",
  "ER_NORMAL_SHUTDOWN",
  "ER_CONNECTION_KILLED",
  "ER_CLIENT_INTERACTION_TIMEOUT",
  "ER_QUERY_INTERRUPTED",
  "ER_QUERY_TIMEOUT",
  "ER_STATEMENT_TIMEOUT",
  "ER_LOCK_WAIT_TIMEOUT",
  "ER_OUTOFMEMORY",
  "ER_OUT_OF_RESOURCES",
  "ER_OPTION_PREVENTS_STATEMENT",
  "ER_READ_ONLY_MODE",
  "ER_INNODB_READ_ONLY",
  "ER_NET_READ_ERROR",
  "ER_NET_READ_INTERRUPTED",
  "ER_NET_ERROR_ON_WRITE",
  "ER_NET_WRITE_INTERRUPTED"
])

/** mysql2 says these without a code. */
const withoutCode = /in closed state|no connections available|queue limit reached/i

const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (isConflict(code, cause)) return "Conflict"
  if (away.has(code) || isNetworkFailure(cause)) return "Away"
  return cause instanceof Error && code === "" && withoutCode.test(cause.message) ? "Away" : "Broken"
}

/** MariaDB 10.6 or later, or MySQL 8.0.17 or later, through mysql2. */
export const mysql: Dialect = {
  columns: {
    id: sql`integer auto_increment`,
    key: (characters) => sql`varchar(${sql.lit(characters)}) ${exactText}`,
    text: sql`longtext ${exactText}`,
    bytes16: "binary(16)",
    blob: sql`longblob`
  },
  createIndex,
  // Whatever the session's time zone is.
  now: sql`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)`,
  insertNew,
  append,
  maxProbes: 100,
  forEachProbe: unionAll,
  singleConnection: false,
  // A transaction has no settings of its own: the session's are lowered, and put back, since the connection is the app's.
  beginHandlers: (_tables, _storeId, leaseMillis) => {
    const lower = ([name, share]: readonly [string, number]) =>
      sql.raw(
        `@eventlog_${name} = @@session.${name}, ` +
          `session ${name} = least(@@session.${name}, ${Math.ceil((leaseMillis * share) / 1_000)})`
      )
    return sql`set ${sql.join(waits.map(lower))}`
  },
  endHandlers: sql`set ${sql.join(waits.map(([name]) => sql.raw(`session ${name} = @eventlog_${name}`)))}`,
  failureOf
}
