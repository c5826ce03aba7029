import type { StorageKind } from "./Storage.ts"

/** Keeps everything in a folder, by a PostgreSQL within the process: no other process may open it meanwhile. */
export const pglite: StorageKind = {
  url: "a folder",
  open: async ({ url }) => {
    const { PGlite } = await import("@electric-sql/pglite")
    const { Kysely, PGliteDialect } = await import("kysely")
    const { ensureSchema, kyselyBackend } = await import("@eventlog-server/storage-kysely")

    const db = new Kysely({ dialect: new PGliteDialect({ pglite: new PGlite(url) }) })
    await ensureSchema(db, { dialect: "pglite" })
    return { backend: kyselyBackend({ db, dialect: "pglite" }), close: () => db.destroy() }
  }
}
