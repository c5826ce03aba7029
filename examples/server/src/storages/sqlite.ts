import type { StorageKind } from "./Storage.ts"

/** Keeps everything in a file. */
export const sqlite: StorageKind = {
  url: "a file",
  open: async ({ url }) => {
    const { default: Database } = await import("better-sqlite3")
    const { Kysely, SqliteDialect } = await import("kysely")
    const { ensureSchema, kyselyBackend } = await import("@eventlog-server/storage-kysely")

    const database = new Database(url)
    database.pragma("journal_mode = wal")
    database.pragma("synchronous = full")
    const db = new Kysely({ dialect: new SqliteDialect({ database }) })
    await ensureSchema(db, { dialect: "sqlite" })
    return { backend: kyselyBackend({ db, dialect: "sqlite" }), close: () => db.destroy() }
  }
}
