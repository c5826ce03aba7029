import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { createPostgresDatabase } from "@eventlog-server/testkit/databases"
import pg from "pg"
import { cpuSecondsOf } from "../processes.ts"
import type { RowsRead, StorageInUse } from "./StorageInUse.ts"

/** The other processes of PostgreSQL that work for the same database. */
const backends = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"

/** A process tells what it read when it ends, and now and then before. */
const clients = `${backends} and backend_type = 'client backend'`
const rowsRead = `
  select coalesce(sum(read), 0)::float as all, coalesce(sum(read) filter (where relname = 'eventlog_entries'), 0)::float as entries
  from (
    select relname, idx_tup_read as read from pg_stat_user_indexes
    union all
    select relname, seq_tup_read from pg_stat_user_tables
  ) as t`

const isPostgres = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "latin1").startsWith("postgres")
  } catch {
    return false
  }
}

/** What a backend used; `NaN` where it runs on another machine. */
const cpuSecondsOfBackend = (pid: number): number => (isPostgres(pid) ? cpuSecondsOf(pid) : Number.NaN)

/** Makes a database. The CPU is that of the connections that are open: what has closed, and the writers of the log, are not in it. */
export const openPostgres = async (): Promise<StorageInUse> => {
  const { drop, url } = await createPostgresDatabase()
  const watcher = new pg.Client({ connectionString: url })
  await watcher.connect()
  return {
    flags: ["--storage", "postgres", "--url", url, "--listen"],
    url,
    cpuSeconds: async () => {
      const { rows } = await watcher.query<{ readonly pid: number }>(backends)
      return rows.reduce((sum, { pid }) => sum + cpuSecondsOfBackend(pid), 0)
    },
    rowsRead: async () => {
      while ((await watcher.query(clients)).rowCount !== 0) await sleep(20)
      return (await watcher.query<RowsRead>(rowsRead)).rows[0]!
    },
    close: async () => {
      await watcher.end()
      await drop()
    }
  }
}
