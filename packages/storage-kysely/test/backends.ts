import { join } from "node:path"
import type { BackendHarness, BackendSuiteOptions } from "@eventlog-server/core/conformance"
import {
  createMysqlDatabase,
  freshName,
  mysqlUrl,
  postgresUrl,
  temporaryFolder
} from "@eventlog-server/testkit/databases"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import Database from "better-sqlite3"
import { Layer, Logger } from "effect"
import { type Kysely, sql } from "kysely"
import { Client } from "pg"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { openMysql, requireMysql } from "./databases/mysql.ts"
import { openPglite } from "./databases/pglite.ts"
import { dropSchema, openPostgres, requirePostgres } from "./databases/postgres.ts"
import { openSqlite } from "./databases/sqlite.ts"

/** An outage may leave a lease behind, which tests can wait for. */
const leaseTime = "5 seconds"

/** Outages are what these tests provoke: they are no news. */
const layerQuiet = Logger.layer([])

/** What tests may do to the stores of a database. @param schema where its tables are */
const meddle = (db: Kysely<unknown>, schema?: string): Pick<BackendHarness, "expireLease" | "loseTail"> => {
  const [stores, entries] = ["eventlog_stores", "eventlog_entries"].map((name) =>
    schema === undefined ? sql.id(name) : sql.id(schema, name)
  )
  return {
    expireLease: async (storeId) => {
      await sql`update ${stores} set lease_until = 0 where store_id = ${storeId}`.execute(db)
    },
    loseTail: (storeId, count) =>
      db.transaction().execute(async (transaction) => {
        await sql`update ${stores} set head = head - ${count}
          where store_id = ${storeId}`.execute(transaction)
        await sql`update ${stores} set processed = case when processed < head then processed else head end
          where store_id = ${storeId}`.execute(transaction)
        await sql`delete from ${entries} where store = (select id from ${stores} where store_id = ${storeId})
          and sequence > (select head from ${stores} where store_id = ${storeId})`.execute(transaction)
      })
  }
}

/** Two nodes on PostgreSQL, each with a pool and a way there of its own. @param listens whether they listen, or look */
const openPostgresNodes = async (listens: boolean): Promise<BackendHarness> => {
  await requirePostgres()
  const schema = freshName()
  const admin = openPostgres({ max: 2 })
  await ensureSchema(admin, { dialect: "postgres", schema })
  const proxy = await TcpProxy.open(targetOf(postgresUrl))
  const connectionString = proxy.through(postgresUrl)
  const node = () => {
    const db = openPostgres({ connectionString })
    const listen = () => new Client({ connectionString })
    const { layer } = kyselyBackend({ db, dialect: "postgres", schema, leaseTime, ...(listens ? { listen } : {}) })
    return { db, layer: Layer.provide(layer, layerQuiet) }
  }
  const [one, other] = [node(), node()]
  return {
    layer: one.layer,
    peer: other.layer,
    ...meddle(admin, schema),
    outage: proxy,
    close: async () => {
      await Promise.all([one.db.destroy(), other.db.destroy()])
      await proxy.close()
      await dropSchema(admin, schema)
      await admin.destroy()
    }
  }
}

/** Two nodes on MariaDB, each with a pool of its own. */
const openMysqlNodes = async (): Promise<BackendHarness> => {
  await requireMysql()
  const admin = openMysql({ connectionLimit: 2 })
  const { drop, name, url } = await createMysqlDatabase()
  await ensureSchema(admin, { dialect: "mysql", schema: name })
  const proxy = await TcpProxy.open(targetOf(mysqlUrl))
  const open = () => openMysql({ uri: proxy.through(url) })
  const [one, other] = [open(), open()]
  const layerOf = (db: Kysely<unknown>) => Layer.provide(kyselyBackend({ db, dialect: "mysql" }).layer, layerQuiet)
  return {
    layer: layerOf(one),
    peer: layerOf(other),
    ...meddle(admin, name),
    outage: proxy,
    close: async () => {
      await Promise.all([one.destroy(), other.destroy()])
      await proxy.close()
      await drop()
      await admin.destroy()
    }
  }
}

/** Two nodes on one instance: it can't be shared in any other way. */
const openPgliteNodes = async (): Promise<BackendHarness> => {
  const db = openPglite()
  const schema = freshName()
  await ensureSchema(db, { dialect: "pglite", schema })
  return {
    layer: Layer.provide(kyselyBackend({ db, dialect: "pglite", schema }).layer, layerQuiet),
    ...meddle(db, schema),
    close: () => dropSchema(db, schema)
  }
}

/** Two nodes on a file, each with a connection of its own. */
const openSqliteNodes = async (journal: "wal" | "delete"): Promise<BackendHarness> => {
  const folder = await temporaryFolder()
  const file = join(folder.path, "eventlog.db")
  // Both nodes are in this process, where one can't go on while the other waits for it.
  const node = () => openSqlite(file, { journal, timeout: 0 })
  const [one, other] = [node(), node()]
  await ensureSchema(one, { dialect: "sqlite" })
  const layerOf = (db: Kysely<unknown>) =>
    Layer.provide(kyselyBackend({ db, dialect: "sqlite", leaseTime }).layer, layerQuiet)
  const intruder = new Database(file)
  return {
    layer: layerOf(one),
    peer: layerOf(other),
    ...meddle(one),
    // Only without a write-ahead log does a lock keep readers out.
    ...(journal === "wal"
      ? {}
      : {
          outage: {
            begin: async () => void intruder.exec("begin exclusive"),
            end: async () => void intruder.exec("commit")
          }
        }),
    close: async () => {
      intruder.close()
      await Promise.all([one.destroy(), other.destroy()])
      await folder.remove()
    }
  }
}

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

const scale = isLong ? 8 : 1

/** Every database that the package's tests run on. */
export const backends: Readonly<Record<string, BackendSuiteOptions>> = {
  postgres: { backend: () => openPostgresNodes(true), scale },
  mysql: { backend: openMysqlNodes, scale },
  pglite: { backend: openPgliteNodes, scale },
  sqlite: { backend: () => openSqliteNodes("wal"), scale },
  "sqlite-rollback": { backend: () => openSqliteNodes("delete"), scale },
  // Looking instead of listening is what SQLite does too.
  ...(isLong ? { "postgres-polling": { backend: () => openPostgresNodes(false), scale } } : {})
}
