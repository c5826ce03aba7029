import { sql } from "kysely"
import type { Dialect } from "../Dialect.ts"
import type { Handlers } from "../Handlers.ts"
import { createIndexIfNotExists, insertOnConflictDoNothing } from "../standardSql/ifAbsent.ts"
import { upsertOnConflict } from "../standardSql/upsert.ts"
import type { Writes } from "../Writes.ts"
import { append, appendToStores } from "./append.ts"
import { buckets } from "./buckets.ts"
import { failureOf } from "./failures.ts"
import { pack } from "./pack.ts"
import { selectPages } from "./pages.ts"
import { runPrepared } from "./runPrepared.ts"
import { updateStores } from "./updateStores.ts"

/** `notify` takes no parameters, so it is the function; behind a `with`, since what begins with `select` never writes. */
const notify: Writes["notify"] = (channel, payloads) => sql`
  with note(payload) as (select json_array_elements_text(${JSON.stringify(payloads)}::json))
  select pg_notify(${channel}, payload) from note`

/** Settings of the transaction alone, where the app has none of its own. */
const begin: Handlers["begin"] = (_tables, _storeId, leaseMillis) => {
  const atMost = (name: string, millis: number) => sql`
    case when current_setting(${name}) = '0' then set_config(${name}, ${String(millis)}, true) end`
  return sql`select ${atMost("lock_timeout", Math.ceil(leaseMillis / 2))},
    ${atMost("statement_timeout", leaseMillis)}, ${atMost("idle_in_transaction_session_timeout", leaseMillis)}`
}

/** PostgreSQL, through pg or another driver that Kysely has for it. */
export const postgres: Dialect = {
  probe: {
    name: "PostgreSQL",
    statement: sql`select 1 where current_setting('server_version_num') > '' and version() not like '%emcc%'`
  },
  schema: {
    columns: {
      id: sql`integer generated always as identity`,
      key: () => sql`text collate "C"`,
      text: "text",
      bytes16: "bytea",
      blob: "bytea"
    },
    createIndex: createIndexIfNotExists,
    addColumn: (connection, table, definition) =>
      sql`alter table ${table} add column if not exists ${definition}`.execute(connection)
  },
  writes: { insertNew: insertOnConflictDoNothing, upsert: upsertOnConflict, append, notify },
  acrossStores: { append: appendToStores, selectPages },
  buckets,
  pack,
  handlers: { singleConnection: false, begin },
  updateStores,
  now: sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  // A setting of the transaction alone: the statement.
  withoutFlush: sql`set_config('synchronous_commit', 'off', true) = 'off'`,
  runPrepared,
  failureOf
}
