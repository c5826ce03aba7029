import { hash } from "node:crypto"
import {
  type Backend,
  type BackendServices,
  CurrentTransaction,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { Context, Duration, Effect, Layer, type Scope } from "effect"
import type { Kysely, Transaction } from "kysely"
import { erase } from "./admin/erase.ts"
import { heads } from "./admin/heads.ts"
import { readId, rotateId } from "./admin/identity.ts"
import type { Database } from "./database/Database.ts"
import { makeRun } from "./database/run.ts"
import type { Connection } from "./database/Target.ts"
import { type DialectName, dialects } from "./dialects/dialects.ts"
import { append } from "./feed/append.ts"
import { bucket } from "./feed/bucket.ts"
import { bucketBounds } from "./feed/bucketBounds.ts"
import { makeHead } from "./feed/head.ts"
import { makeInsert } from "./feed/insert.ts"
import { makeReadPage, read } from "./feed/read.ts"
import { survivors } from "./feed/survivors.ts"
import { behind } from "./progress/behind.ts"
import { cursors } from "./progress/cursors.ts"
import { makeFailures } from "./progress/failures.ts"
import { type ExtendLease, makeLease } from "./progress/lease.ts"
import { makeRaiseCutoffs } from "./progress/raiseCutoffs.ts"
import { wantRewound } from "./progress/rewind.ts"
import { makeRegistry } from "./registry/registry.ts"
import { prefixOf, type TableOptions, tablesOf } from "./schema/tables.ts"
import { guardOuterDatabase } from "./transactions/guardOuterDatabase.ts"
import { handlerTransactions } from "./transactions/handle.ts"
import { leaseTransaction } from "./transactions/leaseTransaction.ts"
import type { Listen } from "./wakeups/listen.ts"
import { makeWakeups, type WakeupOptions } from "./wakeups/wakeups.ts"

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

const millis = (input: Duration.Input | undefined, defaultMillis: number): number =>
  input === undefined ? defaultMillis : Duration.toMillis(input)

/** Names the tables among those of one database, within the 63 bytes that PostgreSQL allows. */
const channelOf = (options: TableOptions): string =>
  `eventlog_${hash("sha256", `${options.schema ?? ""}.${prefixOf(options)}`).slice(0, 32)}`

const wakeupOptions = <DB>(options: KyselyBackendOptions<DB>): WakeupOptions => ({
  listen: options.listen,
  channel: channelOf(options),
  poll: { min: millis(options.poll?.min, 50), max: millis(options.poll?.max, 1_000) },
  pollWhileListening: millis(options.poll?.whileListening, 5_000)
})

const makePorts = <DB>(
  options: KyselyBackendOptions<DB>
): Effect.Effect<Context.Context<BackendServices>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = options.db.withoutPlugins() as Kysely<unknown> as Connection
    const dialect = dialects[options.dialect]
    const run = yield* makeRun(connection, dialect, options.preparedStatements ?? true)
    const database: Database = { connection, tables: tablesOf(options), dialect, run }
    const insert = makeInsert(database)
    const readPage = makeReadPage(database)
    const leaseMillis = millis(options.leaseTime, 30_000)
    const wakeups = yield* makeWakeups(database, wakeupOptions(options))
    if (options.transactionalHandlers && database.dialect.handlers.singleConnection)
      yield* guardOuterDatabase(options.db)
    const extend: ExtendLease = (lease, storeId, token) =>
      options.transactionalHandlers
        ? {
            ...lease,
            ...leaseTransaction({ database, db: options.db, storeId, token, leaseMillis, cursor: lease.cursor })
          }
        : lease
    return Context.make(FeedStore, {
      append: (storeId, records, known) =>
        Effect.tap(append(database, insert, { storeId, records, known }), (slots) => {
          const head = slots.reduce((last, { isNew, sequence }) => (isNew ? Math.max(last, sequence) : last), 0)
          if (head > 0) wakeups.changed(storeId, { head })
          return Effect.void
        }),
      read: (storeId, from, limits, known) => read(readPage, { storeId, from, limits, known }),
      head: makeHead(database),
      bucket: (storeId, ranges, selection) => bucket(database, storeId, ranges, selection),
      bucketBounds: (storeId, ranges) => bucketBounds(database, storeId, ranges),
      survivors: (storeId, request) => survivors(database, storeId, request),
      wakeups: wakeups.of
    }).pipe(
      Context.add(FeedAdmin, {
        heads: (after, limit) => heads(database, after, limit),
        erase: (storeId) => Effect.tap(erase(database, storeId), () => Effect.sync(() => wakeups.changed(storeId))),
        id: readId(database),
        rotateId: (expected) => rotateId(database, expected)
      }),
      Context.add(StoreProgress, {
        lease: makeLease(database, leaseMillis, extend),
        cursors: (storeIds) => cursors(database, storeIds),
        behind: (after, limit) => behind(database, after, limit),
        rewind: (storeId, to) => wantRewound(database, storeId, to),
        raiseCutoffs: makeRaiseCutoffs(database),
        failures: makeFailures(database)
      }),
      Context.add(EventLogServerStoreRegistry, makeRegistry(database, wakeups.access))
    )
  })

/** Every port, over the app's database, for those who put a server together from layers. */
export const layerKysely = <DB>(options: KyselyBackendOptions<DB>): Layer.Layer<BackendServices> =>
  Layer.effectContext(makePorts(options))

/**
 * Keeps event logs in the app's SQL database. The tables have to be there: see `migrations` and `ensureSchema`. What was
 * handed in is never closed.
 *
 * ```ts
 * const backend = kyselyBackend({ db, dialect: "postgres", listen: () => new pg.Client(url) })
 * ```
 */
export function kyselyBackend<DB>(
  options: KyselyBackendOptions<DB> & { readonly transactionalHandlers: true }
): Backend<Transaction<DB>>
export function kyselyBackend<DB>(
  options: KyselyBackendOptions<DB> & { readonly transactionalHandlers?: false | undefined }
): Backend
export function kyselyBackend<DB>(options: KyselyBackendOptions<DB>): Backend | Backend<Transaction<DB>> {
  const layer = layerKysely(options)
  return options.transactionalHandlers ? { layer, transactions: handlerTransactions<DB>() } : { layer }
}

/**
 * The transaction that a handler of an `EventLog.group` runs in, where the backend has `transactionalHandlers`; fails
 * with a defect elsewhere. `DB` is that of the instance that the backend was given.
 */
export const currentTransaction = <DB>(): Effect.Effect<Transaction<DB>> =>
  Effect.flatMap(CurrentTransaction, (transaction) =>
    transaction === undefined
      ? Effect.die(new Error("No transaction: the handler runs without transactionalHandlers"))
      : Effect.succeed(transaction as Transaction<DB>)
  )
