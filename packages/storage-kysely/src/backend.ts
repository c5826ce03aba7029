import { hash } from "node:crypto"
import {
  type Backend,
  type BackendServices,
  CurrentTransaction,
  checkOptions,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { Context, Duration, Effect, Layer, type Scope } from "effect"
import type { Kysely, Transaction } from "kysely"
import { check } from "./admin/check.ts"
import { erase } from "./admin/erase.ts"
import { heads } from "./admin/heads.ts"
import { readId, rotateId } from "./admin/identity.ts"
import type { Database } from "./database/Database.ts"
import { makeRun } from "./database/run.ts"
import type { Connection } from "./database/Target.ts"
import { dialects } from "./dialects/dialects.ts"
import { expectedOptions } from "./expectedOptions.ts"
import { append } from "./feed/append.ts"
import { bucket } from "./feed/bucket.ts"
import { bucketBounds } from "./feed/bucketBounds.ts"
import { makeHead } from "./feed/head.ts"
import { makeInsert } from "./feed/insert.ts"
import { makeReadPage, read } from "./feed/read.ts"
import { survivors } from "./feed/survivors.ts"
import type { KyselyBackendOptions } from "./options.ts"
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
import { makeWakeups, type WakeupOptions } from "./wakeups/wakeups.ts"

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
        check: check(database),
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

/**
 * Every port, over the app's database, for those who put a server together from layers. Throws an `InvalidOptionsError` that
 * names what is wrong with the options.
 */
export const layerKysely = <DB>(options: KyselyBackendOptions<DB>): Layer.Layer<BackendServices> => {
  checkOptions("kyselyBackend", options, expectedOptions)
  return Layer.effectContext(makePorts(options))
}

/**
 * Keeps event logs in the app's SQL database. The tables have to be there: see `migrations` and `ensureSchema`. What was
 * handed in is never closed. Throws an `InvalidOptionsError` that names what is wrong with the options.
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
