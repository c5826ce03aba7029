import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { temporaryFolder } from "@eventlog-server/testkit/databases"
import type { ForgetfulStorage } from "@eventlog-server/testkit/failover"
import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"
import { onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../../src/index.ts"

/** A handle of a file that may be another file by the next transaction. */
class Handle {
  readonly #file: string
  #database: Database.Database

  constructor(file: string) {
    this.#file = file
    this.#database = this.#open()
  }

  prepare(statement: string): Database.Statement {
    return this.#database.prepare(statement)
  }

  close(): void {
    this.#database.close()
  }

  /** Does something with the file while nobody has it open. All of it is in the file then, and nothing in a log. */
  async whileClosed(work: (file: string) => void): Promise<void> {
    while (this.#database.inTransaction) await turn()
    this.#database.close()
    work(this.#file)
    this.#database = this.#open()
  }

  #open(): Database.Database {
    const database = new Database(this.#file)
    database.pragma("journal_mode = wal")
    return database
  }
}

/** A file that a backup is put in the place of, under a process that goes on. */
export const openReplacedSqlite = async (): Promise<ForgetfulStorage> => {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  const handle = new Handle(join(folder.path, "eventlog.db"))
  const backup = join(folder.path, "backup.db")
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: handle }) })
  onTestFinished(() => db.destroy())
  await ensureSchema(db, { dialect: "sqlite" })
  return {
    openBackend: () => kyselyBackend({ db, dialect: "sqlite", leaseTime: "5 seconds" }),
    beginLosing: () => handle.whileClosed((file) => copyFileSync(file, backup)),
    takeOver: () =>
      handle.whileClosed((file) => {
        for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true })
        copyFileSync(backup, file)
      })
  }
}
