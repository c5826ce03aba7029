import { join } from "node:path"
import type { BackendHarness, BackendSuiteOptions } from "@eventlog-server/core/conformance"
import Database from "better-sqlite3"
import { Layer, Logger } from "effect"
import { type Kysely, sql } from "kysely"
import { Client } from "pg"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { createDatabase, dropDatabase, mysqlUrl, openMysql, requireMysql } from "./databases/mysql.ts"
import { openPglite } from "./databases/pglite.ts"
import { dropSchema, freshSchema, openPostgres, postgresUrl, requirePostgres } from "./databases/postgres.ts"
import { openProxy } from "./databases/proxy.ts"
import { openSqlite, temporaryFolder } from "./databases/sqlite.ts"

/** An outage may leave a lease behind, which tests can wait for. */
const leaseTime = "5 seconds"

/** Outages are what these tests provoke: they are no news. */
const layerQuiet = Logger.layer([])

const expireLease = async (db: Kysely<unknown>, stores: string, storeId: string): Promise<void> => {
  await sql`update ${sql.table(stores)} set lease_until = 0 where store_id = ${storeId}`.execute(db)
}

/** Two nodes on PostgreSQL, each with a pool and a way there of its own. @param listens whether they listen, or look */
const openPostgresNodes = async (listens: boolean): Promise<BackendHarness> => {
  await requirePostgres()
  const schema = freshSchema()
  const admin = openPostgres({ max: 2 })
  await ensureSchema(admin, { dialect: "postgres", schema })
  const { hostname, port } = new URL(postgresUrl)
  const proxy = await openProxy(hostname, Number(port || 5432))
  const url = new URL(postgresUrl)
  url.host = `127.0.0.1:${proxy.port}`
  const connectionString = url.href
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
    expireLease: (storeId) => expireLease(admin, `${schema}.eventlog_stores`, storeId),
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
  const name = await createDatabase(admin)
  await ensureSchema(admin, { dialect: "mysql", schema: name })
  const { hostname, port } = new URL(mysqlUrl)
  const proxy = await openProxy(hostname, Number(port || 3306))
  const url = new URL(mysqlUrl)
  url.host = `127.0.0.1:${proxy.port}`
  url.pathname = name
  const open = () => openMysql({ uri: url.href })
  const [one, other] = [open(), open()]
  const layerOf = (db: Kysely<unknown>) => Layer.provide(kyselyBackend({ db, dialect: "mysql" }).layer, layerQuiet)
  return {
    layer: layerOf(one),
    peer: layerOf(other),
    expireLease: (storeId) => expireLease(admin, `${name}.eventlog_stores`, storeId),
    outage: proxy,
    close: async () => {
      await Promise.all([one.destroy(), other.destroy()])
      await proxy.close()
      await dropDatabase(admin, name)
      await admin.destroy()
    }
  }
}

/** Two nodes on one instance: it can't be shared in any other way. */
const openPgliteNodes = async (): Promise<BackendHarness> => {
  const db = openPglite()
  const schema = freshSchema()
  await ensureSchema(db, { dialect: "pglite", schema })
  return {
    layer: Layer.provide(kyselyBackend({ db, dialect: "pglite", schema }).layer, layerQuiet),
    expireLease: (storeId) => expireLease(db, `${schema}.eventlog_stores`, storeId),
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
    expireLease: (storeId) => expireLease(one, "eventlog_stores", storeId),
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
