import {
  type BackendServices,
  EventLogServerStoreRegistry,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { freshName } from "@eventlog-server/testkit/databases"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect, Layer, Logger, ManagedRuntime, Option } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, sql } from "kysely"
import { expect, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../../src/index.ts"
import { dropSchema, openPostgres } from "../databases/postgres.ts"

/** The store that a test writes to. */
export const storeId = EventLogMessage.StoreId.make("store")

const limits = { maxEntries: 100, maxBytes: 1_000_000 }

/** A schema with the tables, until the test is over. */
export const openTables = async () => {
  const admin = openPostgres({ max: 1 })
  const schema = freshName()
  await ensureSchema(admin, { dialect: "postgres", schema })
  onTestFinished(async () => {
    await dropSchema(admin, schema)
    await admin.destroy()
  })
  return { admin, schema, table: (name: string) => sql.id(schema, `eventlog_${name}`) }
}

/** An app's instance until the test is over. @see openPostgres */
export const openApp = (...options: Parameters<typeof openPostgres>): Kysely<unknown> => {
  const db = openPostgres(...options)
  onTestFinished(() => db.destroy())
  return db
}

/** What a node does, and what it warns of. */
export const openNode = (db: Kysely<unknown>, schema: string, preparedStatements?: boolean) => {
  const warnings: Array<unknown> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(message)
  })
  const backend = kyselyBackend({ db, dialect: "postgres", schema, preparedStatements })
  const runtime = ManagedRuntime.make(Layer.fresh(Layer.provide(backend.layer, Logger.layer([logger]))))
  onTestFinished(() => runtime.dispose())
  const run = <A, E>(effect: Effect.Effect<A, E, BackendServices>) => runtime.runPromise(effect)
  const feeds = <A, E>(use: (feeds: FeedStore["Service"]) => Effect.Effect<A, E>) => run(FeedStore.use(use))
  return {
    warnings,
    append: (store = storeId, count = 1) => {
      const records = Array.from({ length: count }, () => makeRecord())
      return feeds((feeds) => feeds.append(store, records))
    },
    feeds,
    read: (from = 1) => feeds((feeds) => feeds.read(storeId, from, limits)),
    findKeys: (publicKeys: ReadonlyArray<string>) =>
      run(
        EventLogServerStoreRegistry.use((registry) =>
          Effect.forEach(publicKeys, (publicKey) => Effect.exit(registry.resolve(publicKey)), {
            concurrency: "unbounded"
          })
        )
      ),
    /** Takes the lease, moves the cursor to the first entry, and gives the lease back. */
    process: async () => {
      const page = await feeds((feeds) => feeds.read(storeId, 1, { ...limits, maxEntries: 1 }))
      const [first] = page.entries
      expect(first).toBeDefined()
      if (first === undefined) return
      await run(
        Effect.scoped(
          StoreProgress.use((progress) =>
            Effect.flatMap(progress.lease(storeId), (lease) =>
              Option.getOrThrow(lease).advance({ sequence: 1, id: first.entry.id })
            )
          )
        )
      )
    }
  }
}

/** A statement that a connection keeps prepared. */
export interface PreparedRow {
  readonly statement: string
  readonly executions: number
}

/** What the only connection of a pool keeps prepared, but for what found out whether it does. */
export const preparedOn = async (db: Kysely<unknown>): Promise<ReadonlyArray<PreparedRow>> => {
  const { rows } = await sql<PreparedRow>`
    select statement, (generic_plans + custom_plans)::integer as executions from pg_prepared_statements
    where name like 'eventlog%' and name <> 'eventlog_probe' order by name`.execute(db)
  return rows
}
