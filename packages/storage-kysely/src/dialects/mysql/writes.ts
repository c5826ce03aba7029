import { sql } from "kysely"
import { inHistory, isHeld } from "../../database/known.ts"
import type { Target } from "../../database/Target.ts"
import { toNumber } from "../../database/values.ts"
import type { BigInteger } from "../../schema/tables.ts"
import { overwritten, rowsOf } from "../standardSql/upsert.ts"
import type { Inserted, NewEntry, StoreAppend, Writes } from "../Writes.ts"

/** A statement is text, which the driver and the server each hold whole. */
const maxStatementBytes = 8 * 1024 * 1024

const maxStatementRows = 500

/** What an entry can take up in the text of a statement: bytes become two digits each, a character up to three bytes. */
const statementBytes = ({ author, event, payload, primaryKey }: NewEntry): number =>
  200 + 2 * payload.byteLength + 3 * (event.length + primaryKey.length + (author?.length ?? 0))

/**
 * The entries in order, in parts that a statement can carry. Throws for an entry that none can: the server would hang up,
 * which looks like an outage.
 */
const partsOf = (entries: ReadonlyArray<NewEntry>, maxPacket: number): ReadonlyArray<ReadonlyArray<NewEntry>> => {
  const parts: Array<Array<NewEntry>> = []
  let left = 0
  for (const entry of entries) {
    const bytes = statementBytes(entry)
    if (bytes > maxPacket) throw new Error(`An entry needs max_allowed_packet at ${bytes}, and it is ${maxPacket}`)
    const part = parts.at(-1)
    if (part === undefined || part.length === maxStatementRows || bytes > left) {
      parts.push([entry])
      left = Math.min(maxPacket, maxStatementBytes)
    } else part.push(entry)
    left -= bytes
  }
  return parts
}

interface LockedStore {
  readonly id: number
  readonly head: number
  /** How many bytes a statement may have, beside a little that is always there. */
  readonly maxPacket: number
  /** Which of the ids the store has, in hexadecimal digits. */
  readonly knownIds: ReadonlySet<string>
}

/**
 * Locks the row of a store, and then finds which entries it has. A read that locks sees what is committed, not a snapshot:
 * so it finds what whoever held the lock has inserted, in the same round trip. Returns nothing of a store that doesn't hold
 * the known entry.
 */
const lockStore = async (
  { connection, tables }: Target,
  { entries: newEntries, known, storeId }: StoreAppend
): Promise<LockedStore | undefined> => {
  const { entries, stores } = tables
  const { rows } = await sql<{
    readonly id: number
    readonly head: BigInteger
    readonly packet: BigInteger
    readonly entry_id: Buffer | null
    readonly known_id: Buffer | null
  }>`
    select s.id, s.head, @@max_allowed_packet as packet, e.entry_id, k.entry_id as known_id from ${stores} as s
    left join ${entries} as k on k.store = s.id and k.sequence = ${known?.sequence ?? null} ${inHistory(tables, known)}
    left join ${entries} as e on e.store = s.id and e.entry_id in (${sql.join(newEntries.map(({ id }) => id))})
    where s.store_id = ${storeId} and s.erased = 0 for update`.execute(connection)
  const [store] = rows
  if (store === undefined || !isHeld(known, store.known_id)) return undefined
  const knownIds = new Set(rows.flatMap(({ entry_id }) => (entry_id === null ? [] : entry_id.toString("hex"))))
  return { id: store.id, head: toNumber(store.head), maxPacket: toNumber(store.packet) - 1_024, knownIds }
}

const insert = (
  { connection, tables }: Target,
  store: number,
  first: number,
  part: ReadonlyArray<NewEntry>
): Promise<unknown> => {
  const rows = part.map(
    ({ author, bucket, bytes, event, id, payload, primaryKey, transportOnly }, index) =>
      sql`(${store}, ${first + index}, ${id}, ${bucket}, ${event}, ${primaryKey}, ${author}, ${transportOnly}, ${bytes},
        ${payload})`
  )
  return sql`
    insert into ${tables.entries} (
      store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
    ) values ${sql.join(rows)}`.execute(connection)
}

/**
 * A transaction, since nothing here returns what it inserted, and a batch may not fit in a statement. At `read committed` a
 * search locks the entries that it finds and no gaps beside them, where other stores insert theirs.
 */
const append: Writes["append"] = ({ connection, tables }, added) =>
  connection
    .transaction()
    .setIsolationLevel("read committed")
    .execute(async (transaction): Promise<Inserted | undefined> => {
      const target: Target = { connection: transaction, tables }
      const store = await lockStore(target, added)
      const fresh = added.entries.filter(({ id }) => store?.knownIds.has(id.toString("hex")) === false)
      if (store === undefined || fresh.length === 0) return undefined
      let last = store.head
      for (const part of partsOf(fresh, store.maxPacket)) {
        await insert(target, store.id, last + 1, part)
        last += part.length
      }
      await sql`update ${tables.stores} set head = ${last} where id = ${store.id}`.execute(transaction)
      return { last, count: fresh.length }
    })

/** Not `insert ignore`, which cuts off text that is too long and ignores that too. */
const insertNew: Writes["insertNew"] = (table, row) => {
  const columns = Object.keys(row).map((column) => sql.ref(column))
  return sql`insert into ${table} (${sql.join(columns)}) values (${sql.join(Object.values(row))})
    on duplicate key update ${columns[0]} = ${columns[0]}`
}

/** Nobody but MySQL 8.0.20 and later minds `values`, and those only warn. */
const upsert: Writes["upsert"] = (table, { counted, key, kept, rows }) => {
  const counts = counted.map((column) => sql`${sql.ref(column)} = ${sql.ref(column)} + 1`)
  const sets = overwritten({ counted, key, kept, rows }).map(
    (column) => sql`${sql.ref(column)} = values(${sql.ref(column)})`
  )
  return sql`insert into ${table} ${rowsOf(rows)} on duplicate key update ${sql.join([...counts, ...sets])}`
}

/** `Dialect.writes`. */
export const writes: Writes = { insertNew, upsert, append }
