import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, sql } from "kysely"
import { describe, expect, it } from "vitest"
import { databases } from "../databases/databases.ts"
import { openApp, openNode, openTables, storeId } from "./node.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

const size = 50_000

/** Executions after which a statement is prepared anew for the first time. */
const renewal = 64

/** What a round of work has to read of entries, rows and places in indexes: a page twice, and each of its entries. */
const perRound = 500

const others = ["a", "b", "c"].map((name) => EventLogMessage.StoreId.make(name))

/** How many rows of entries, and places in their indexes, a connection has read so far. */
const rowsRead = async (db: Kysely<unknown>, schema: string): Promise<number> => {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const { rows } = await sql<{ readonly read: number }>`
    select (seq_tup_read + (
      select sum(idx_tup_read) from pg_stat_user_indexes as i where i.relid = t.relid
    ))::integer as read
    from pg_stat_user_tables as t where schemaname = ${schema} and relname = 'eventlog_entries'`.execute(db)
  return rows[0]?.read ?? Number.NaN
}

/** Tables that nobody analyzes but the test. */
const openStillTables = async () => {
  const { admin, schema, table } = await openTables()
  for (const name of ["entries", "stores"]) {
    await sql`alter table ${table(name)} set (autovacuum_enabled = off)`.execute(admin)
  }
  return {
    schema,
    analyze: async () => {
      for (const name of ["entries", "stores"]) await sql`analyze ${table(name)}`.execute(admin)
    },
    /** Another process writes. */
    fill: async () => {
      await sql`insert into ${table("entries")}
        select s.id, s.head + n, decode(md5(n::text), 'hex'), decode(md5(n::text), 'hex'), 'Noted', 'key', null, 0, 10, 'x'
        from ${table("stores")} as s, generate_series(1, ${sql.lit(size)}) as n where store_id = ${storeId}`.execute(
        admin
      )
      await sql`update ${table("stores")} set head = head + ${size} where store_id = ${storeId}`.execute(admin)
    }
  }
}

/** A node with one connection. */
const openWorker = async (schema: string, preparedStatements: boolean) => {
  const db = openApp({ max: 1 })
  const { append, feeds, process, read } = openNode(db, schema, preparedStatements)
  const repeated = Array.from({ length: 30 }, () => makeRecord())
  const ofOthers = <A, E>(call: (store: EventLogMessage.StoreId) => Effect.Effect<A, E>) =>
    Effect.forEach(others, call, { concurrency: "unbounded" })
  await append()
  return {
    db,
    /** Everything that each write or read does. Returns how much a round read. */
    work: async (rounds: number): Promise<number> => {
      const before = await rowsRead(db, schema)
      for (let round = 0; round < rounds; round++) {
        await append()
        await append()
        await feeds((feeds) => feeds.append(storeId, repeated))
        await feeds((feeds) => feeds.head(storeId))
        await feeds((feeds) => ofOthers((store) => feeds.append(store, [makeRecord()])))
        await feeds((feeds) => ofOthers((store) => feeds.read(store, 1, { maxEntries: 10, maxBytes: 1_000 })))
        await read(3)
        await process()
      }
      return ((await rowsRead(db, schema)) - before) / rounds
    }
  }
}

describe.skipIf(away !== undefined)("plans of prepared statements", () => {
  it("read what they need of a store that grew behind them, analyzed or not", async () => {
    const { analyze, fill, schema } = await openStillTables()
    const { db, work } = await openWorker(schema, true)
    await work(20)
    await fill()
    expect(await work(20)).toBeLessThan(perRound)
    await analyze()
    expect(await work(20)).toBeLessThan(perRound)
    const generic = await sql`select 1 from pg_prepared_statements where generic_plans > 10`.execute(db)
    expect(generic.rows.length).toBeGreaterThan(4)
  })

  it("are made anew for a store that was analyzed when it had few entries, and read no more than plans for each call", async () => {
    const { analyze, fill, schema } = await openStillTables()
    const prepared = await openWorker(schema, true)
    const unprepared = await openWorker(schema, false)
    await analyze()
    await prepared.work(10)
    await fill()
    await prepared.work(renewal)
    await unprepared.work(1)
    expect(await prepared.work(10)).toBeLessThan(1.1 * (await unprepared.work(10)))
  })
})
