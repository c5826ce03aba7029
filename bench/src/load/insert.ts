import { randomBytes, randomUUID } from "node:crypto"
import pg from "pg"
import type { Clock } from "./clock.ts"

/** Multi-row INSERTs into the table of entries of our server, by connections that each fill a store of their own. */
export interface InsertJob {
  readonly kind: "insert"
  /** A PostgreSQL database in which our server ran once. */
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

const statementOf = (batch: number): string => {
  const row = (index: number) => `(${columns.map((_, column) => `$${index * columns.length + column + 1}`).join(",")})`
  return `insert into eventlog_entries (${columns.join(",")}) values ${Array.from({ length: batch }, (_, index) => row(index)).join(",")}`
}

/** What PostgreSQL takes with nothing around it. */
export const insert = async (job: InsertJob, clock: Clock): Promise<Record<string, number>> => {
  const text = statementOf(job.batch)
  const clients = Array.from({ length: job.connections }, () => new pg.Client({ connectionString: job.url }))
  await Promise.all(clients.map((client) => client.connect()))
  let rows = 0
  let isOver = false

  const fillStore = async (client: pg.Client, store: number): Promise<void> => {
    for (let sequence = 1; !isOver; sequence += job.batch) {
      const values = Array.from({ length: job.batch }, (_, index) => [
        ...[store, sequence + index, randomBytes(16), randomBytes(16), "TodoAdded", randomUUID().slice(0, 8)],
        ...["key of store-0", 0, payload.length + 17, payload]
      ])
      await client.query({ name: "insert", text, values: values.flat() })
      if (clock.isRunning()) rows += job.batch
    }
  }
  const filling = Promise.all(clients.map((client, index) => fillStore(client, 1_000_000 + index)))
  const { seconds } = await Promise.race([clock.run(job.seconds), filling.then(() => Promise.reject(new Error()))])
  isOver = true
  await filling
  return { value: rows / seconds }
}
