import type { StorageKind } from "./Storage.ts"

/** Keeps everything in a MySQL or MariaDB database, which other processes may share. */
export const mysql: StorageKind = {
  url: "mysql://USER@HOST/DATABASE",
  open: async ({ url: uri }) => {
    const { createPool } = await import("mysql2")
    const { Kysely, MysqlDialect } = await import("kysely")
    const { ensureSchema, kyselyBackend } = await import("@eventlog-server/storage-kysely")

    const db = new Kysely({ dialect: new MysqlDialect({ pool: createPool({ uri }) }) })
    await ensureSchema(db, { dialect: "mysql" })
    return { backend: kyselyBackend({ db, dialect: "mysql" }), close: () => db.destroy() }
  }
}
