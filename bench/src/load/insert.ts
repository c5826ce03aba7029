import { randomBytes, randomUUID } from "node:crypto"
import type { Clock } from "./clock.ts"
import { type InsertingDatabase, inserters } from "./inserters.ts"
import { Tally } from "./Tally.ts"

/** Multi-row INSERTs into the table of entries of our server, by connections that each fill a store of their own. */
export interface InsertJob {
  readonly kind: "insert"
  readonly database: InsertingDatabase
  /** A database in which our server ran once. */
  readonly url: string
  readonly connections: number
  /** Rows of one INSERT. */
  readonly batch: number
  readonly seconds: number
}

const columns = [
  ...["store", "sequence", "entry_id", "bucket", "event", "primary_key"],
  ...["author", "transport_only", "bytes", "payload"]
]
const payload = Buffer.alloc(72, 0x61)

const statementOf = (batch: number, placeholder: (position: number) => string): string => {
  const row = (index: number) => `(${columns.map((_, column) => placeholder(index * columns.length + column + 1))})`
  return `insert into eventlog_entries (${columns}) values ${Array.from({ length: batch }, (_, index) => row(index))}`
}

const rowOf = (store: number, sequence: number): ReadonlyArray<unknown> => [
  ...[store, sequence, randomBytes(16), randomBytes(16), "TodoAdded", randomUUID().slice(0, 8)],
  ...["key of store-0", 0, payload.length + 17, payload]
]

/** What a database takes with nothing around it. */
export const insert = async (job: InsertJob, clock: Clock): Promise<Record<string, number>> => {
  const { open, placeholder } = inserters[job.database]
  const text = statementOf(job.batch, placeholder)
  const tally = new Tally(clock)
  const fillStore = async (store: number): Promise<never> => {
    const run = await open(job.url, text)
    for (let sequence = 1; ; sequence += job.batch) {
      const rows = Array.from({ length: job.batch }, (_, index) => rowOf(store, sequence + index))
      const sentAt = performance.now()
      await run(rows.flat())
      tally.add(job.batch, sentAt)
    }
  }
  const filling = Array.from({ length: job.connections }, (_, index) => fillStore(1_000_000 + index))
  return Promise.race([tally.run(job.seconds), ...filling])
}
