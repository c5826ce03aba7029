import type { StorageKind } from "./Storage.ts"

/** Keeps everything in a PostgreSQL database, which other processes may share. */
export const postgres: StorageKind = {
  url: "postgres://USER@HOST/DATABASE",
  open: async ({ listen, url: connectionString }) => {
    const { default: pg } = await import("pg")
    const { Kysely, PostgresDialect } = await import("kysely")
    const { ensureSchema, kyselyBackend } = await import("@eventlog-server/storage-kysely")

    const pool = new pg.Pool({ connectionString })
    // A connection that is lost, idle or in use, ends the process where nobody listens to its errors.
    pool.on("error", () => {})
    pool.on("connect", (client) => client.on("error", () => {}))
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    await ensureSchema(db, { dialect: "postgres" })
    return {
      backend: kyselyBackend({
        db,
        dialect: "postgres",
        listen: listen ? () => new pg.Client({ connectionString }) : undefined
      }),
      close: () => db.destroy()
    }
  }
}
