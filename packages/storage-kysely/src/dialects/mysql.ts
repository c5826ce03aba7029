import { sql } from "kysely"
import { codeOf, isNetworkFailure } from "./connectionFailures.ts"
import type { Dialect, Failure } from "./Dialect.ts"
import { findPlacesBy } from "./findPlaces.ts"
import { appendInTransaction } from "./mysqlAppend.ts"
import { scanEqualBucket } from "./scanBucket.ts"
import { selectAtList } from "./selectAt.ts"
import { unionAll } from "./unionAll.ts"

/** By code points, and trailing spaces count: the same collation by two names, each read by its own server only. */
const exactText = sql.raw(
  "character set utf8mb4 /*!80017 collate utf8mb4_0900_bin */ /*M!100000 collate utf8mb4_nopad_bin */"
)

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
  append: appendInTransaction,
  selectAt: selectAtList,
  maxProbes: 100,
  forEachProbe: unionAll,
  findPlaces: findPlacesBy(unionAll),
  scanBucket: scanEqualBucket,
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
