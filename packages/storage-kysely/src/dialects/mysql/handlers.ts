import { sql } from "kysely"
import type { Handlers } from "../Handlers.ts"

/** The session's variables for how long a transaction waits for locks and may itself be idle, as shares of a lease. */
const waits = Object.entries({ innodb_lock_wait_timeout: 0.5, lock_wait_timeout: 0.5, wait_timeout: 1 })

/**
 * `Dialect.handlers`. A transaction has no settings of its own: the session's are lowered, and put back, since the
 * connection is the app's.
 */
export const handlers: Handlers = {
  singleConnection: false,
  begin: (_tables, _storeId, leaseMillis) => {
    const lower = ([name, share]: readonly [string, number]) =>
      sql.raw(
        `@eventlog_${name} = @@session.${name}, ` +
          `session ${name} = least(@@session.${name}, ${Math.ceil((leaseMillis * share) / 1_000)})`
      )
    return sql`set ${sql.join(waits.map(lower))}`
  },
  end: sql`set ${sql.join(waits.map(([name]) => sql.raw(`session ${name} = @eventlog_${name}`)))}`
}
