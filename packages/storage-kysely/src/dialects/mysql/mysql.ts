import { sql } from "kysely"
import type { Dialect } from "../Dialect.ts"
import { buckets } from "./buckets.ts"
import { failureOf } from "./failures.ts"
import { handlers } from "./handlers.ts"
import { schema } from "./schema.ts"
import { updateStores } from "./updateStores.ts"
import { writes } from "./writes.ts"

/** MariaDB 10.6 or later, or MySQL 8.0.17 or later, through mysql2. */
export const mysql: Dialect = {
  probe: { name: "MySQL or MariaDB", statement: sql`select @@version_comment` },
  schema,
  writes,
  buckets,
  handlers,
  updateStores,
  // Whatever the session's time zone is.
  now: sql`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)`,
  failureOf
}
