/**
 * The least that it takes to send a history from PostgreSQL to a websocket: `--read pages` reads the store in pages of 512
 * rows, one after the other; `--read lasts` finds the last entry of each bucket by a loose scan of the index that our server
 * has. Rows become MessagePack, and are sent. Nobody proves anything.
 */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"
import { Packr } from "msgpackr"
import pg from "pg"
import { type WebSocket, WebSocketServer } from "ws"
import { publicKeyOf } from "../load/device.ts"
import { sendGated } from "./sendGated.ts"

interface Row {
  readonly sequence: string
  readonly entry_id: Buffer
  readonly event: string
  readonly primary_key: string
  readonly payload: Buffer
}

type Pages = AsyncIterable<ReadonlyArray<Row>>

/** As many entries as a page of ours holds. */
const pageRows = 512
const columns = "sequence, entry_id, event, primary_key, payload"

const findStore = { name: "store", text: "select id, head from eventlog_stores where store_id = $1" }
const selectPage = {
  name: "page",
  text: `select ${columns} from eventlog_entries where store = $1 and sequence >= $2 and sequence < $3 order by sequence`
}

/** A bound on one side alone keeps the planner on the index, whatever it knows of the table. */
const lastBefore = (bound: string) => `
  select store, bucket, sequence from eventlog_entries where ${bound}
  order by store desc, bucket desc, sequence desc limit 1`
const selectLasts = {
  name: "lasts",
  text: `
    with recursive found(store, bucket, sequence) as (
      (${lastBefore("(store, bucket) <= ($1::integer, '\\xffffffffffffffffffffffffffffffff'::bytea)")})
      union all
      select before.* from found cross join lateral (
        ${lastBefore("(store, bucket) < (found.store, found.bucket)")}
      ) as before where before.store = $1::integer
    )
    select e.* from (select sequence from found where store = $1::integer) as last cross join lateral (
      select ${columns} from eventlog_entries as e where e.store = $1::integer and e.sequence = last.sequence offset 0
    ) as e order by sequence`
}

const { database, read } = parseArgs({ options: { database: { type: "string" }, read: { type: "string" } } }).values
const pool = new pg.Pool({ connectionString: database })
const packr = new Packr({ useRecords: false, variableMapSize: true })

async function* pagesOf(store: number, head: number): Pages {
  for (let from = 1; from <= head; from += pageRows) {
    yield (await pool.query<Row>({ ...selectPage, values: [store, from, from + pageRows] })).rows
  }
}

async function* lastsOf(store: number): Pages {
  const { rows } = await pool.query<Row>({ ...selectLasts, values: [store] })
  for (let from = 0; from < rows.length; from += pageRows) yield rows.slice(from, from + pageRows)
}

const toEntry = ({ entry_id: id, event, payload, primary_key: primaryKey, sequence }: Row) => ({
  remoteSequence: Number(sequence),
  entry: { id, event, primaryKey, payload }
})

const sendHistory = async (socket: WebSocket, storeId: string): Promise<void> => {
  const publicKey = publicKeyOf(storeId)
  const { rows } = await pool.query({ ...findStore, values: [storeId] })
  const pages = read === "lasts" ? lastsOf(rows[0].id) : pagesOf(rows[0].id, Number(rows[0].head))
  for await (const page of pages) {
    await sendGated(socket, packr.pack({ _tag: "Changes", publicKey, entries: page.map(toEntry) }))
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
server.on("connection", (socket, request) => {
  const storeId = new URL(request.url!, "http://localhost").searchParams.get("store") ?? ""
  socket.once("message", () => void sendHistory(socket, storeId))
})

await once(server, "listening")
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
process.once("SIGTERM", () => process.exit(0))
