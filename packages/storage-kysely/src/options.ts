import type { Duration } from "effect"
import type { Kysely } from "kysely"
import type { DialectName } from "./dialects/dialects.ts"
import type { TableOptions } from "./schema/tables.ts"
import type { Listen } from "./wakeups/listen.ts"

/** How often stores are looked at for what other processes wrote. */
export interface PollOptions {
  /** The pause between two looks while something happens. @default 50 milliseconds */
  readonly min?: Duration.Input | undefined
  /** The pause that it grows to while nothing happens. @default 1 second */
  readonly max?: Duration.Input | undefined
  /**
   * The pause while a connection listens, for what is never told: by a process that ended between a commit and telling
   * of it. @default 5 seconds
   */
  readonly whileListening?: Duration.Input | undefined
}

/** The database to keep event logs in. */
export interface KyselyBackendOptions<DB> extends TableOptions {
  /** The app's own instance. It is never destroyed here. Its plugins don't apply to the package's statements. */
  readonly db: Kysely<DB>
  /** The database behind it. */
  readonly dialect: DialectName
  /**
   * PostgreSQL: makes a connection that listens for what other processes write, one for this process however many
   * stores there are; it is opened and closed here. Give it in all processes or in none: it also makes this one tell the
   * others. It has to reach PostgreSQL itself, past a pooler that shares connections between transactions.
   * @default none; stores are looked at (`poll`)
   */
  readonly listen?: Listen | undefined
  /** How often other processes' writes are looked for. */
  readonly poll?: PollOptions | undefined
  /**
   * How long the processing lease of a process that died keeps the others waiting. With `transactionalHandlers` also how
   * long a handler may be idle or wait within its transaction, so not less than the server's `handlerTimeout`.
   * @default 30 seconds
   */
  readonly leaseTime?: Duration.Input | undefined
  /**
   * Runs every handler in the transaction that moves the cursor behind it: what it writes through that transaction, and
   * that it ran, are committed together. The handler is given it as `transaction`, or reads `currentTransaction`.
   * @default false: no transaction is open while handlers run
   */
  readonly transactionalHandlers?: boolean | undefined
  /**
   * PostgreSQL through pg: keeps the statements of appends, pages, cursors, leases and keys prepared on each connection, a
   * few dozen at most. Behind a pooler that shares connections between transactions and can't pass prepared statements on,
   * as PgBouncer before 1.21, it has to be false. Else they are given up at the first one that isn't found, with a warning.
   * @default true
   */
  readonly preparedStatements?: boolean | undefined
}
