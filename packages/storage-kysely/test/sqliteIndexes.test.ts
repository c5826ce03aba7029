import { FeedStore } from "@eventlog-server/core/backend"
import SQLite from "better-sqlite3"
import { Effect, Stream } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { type CompiledQuery, Kysely, SqliteDialect, sql } from "kysely"
import { expect, it, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"

const storeId = EventLogMessage.StoreId.make("store")
const range = { events: ["Noted", "Renamed"], primaryKey: "key", fromSequence: 1, toSequence: 1_000 }
const limits = { maxEntries: 10, maxBytes: 1_000 }

const request = { toSequence: 1_000, toId: new Uint8Array(16).fill(0xff), limits }

const makeRecord = () => ({
  entry: new EventJournal.Entry(
    { id: EventJournal.makeEntryIdUnsafe(), event: "Noted", primaryKey: "key", payload: new Uint8Array(1) },
    { disableChecks: true }
  ),
  author: null,
  transportOnly: false
})

type LookUp = (feeds: FeedStore["Service"]) => Effect.Effect<unknown, unknown>

const byId: LookUp = (feeds) =>
  feeds.bucket(storeId, [{ ...range, afterId: new Uint8Array(16) }], { order: "newest", ...limits })
const bySequence: LookUp = (feeds) =>
  feeds.bucket(storeId, [{ ...range, afterId: new Uint8Array(16) }], { order: "sequence", ...limits })
const bounds: LookUp = (feeds) => feeds.bucketBounds(storeId, [range])

/** Makes a database with the tables, and tells what is asked of it. */
const openLogged = async () => {
  const queries: Array<CompiledQuery> = []
  const dialect = new SqliteDialect({ database: new SQLite(":memory:") })
  const db = new Kysely<unknown>({ dialect, log: ({ query }) => void queries.push(query) })
  onTestFinished(() => db.destroy())
  await ensureSchema(db, { dialect: "sqlite" })
  queries.length = 0
  const use = (lookUp: LookUp) =>
    Effect.runPromise(
      FeedStore.use(lookUp).pipe(Effect.provide(kyselyBackend({ db, dialect: "sqlite" }).layer), Effect.orDie)
    )
  /** How it goes about a statement, as far as it touches a table. */
  const explain = async (query: CompiledQuery): Promise<ReadonlyArray<string>> => {
    const { rows } = await db.executeQuery<{ readonly detail: string }>({
      ...query,
      sql: `explain query plan ${query.sql}`
    })
    return rows.map(({ detail }) => detail)
  }
  return { db, queries, use, explain }
}

/** SQLite counts no rows for a test, but says how it goes about a statement. */
it.each([
  ["newest entries", byId, "eventlog_buckets_by_id"],
  ["entries in order", bySequence, "eventlog_buckets_by_sequence"],
  ["bounds", bounds, "eventlog_buckets_by_sequence"]
] as const)("looks up a bucket's %s along the index that has their order", async (_, lookUp, index) => {
  const { explain, queries, use } = await openLogged()
  await use(lookUp)
  const selects = queries.filter((query) => query.sql.includes("bucket = p.bucket"))
  expect(selects.length).toBeGreaterThan(0)
  for (const query of selects) {
    const details = await explain(query)
    const scans = details.filter((detail) => detail.includes(" eventlog_entries "))
    expect(scans.length).toBeGreaterThan(0)
    for (const scan of scans) expect(scan).toContain(`INDEX ${index} `)
    for (const fetch of details.filter((detail) => detail.includes(" e "))) {
      expect(fetch).toContain("(store=? AND sequence=?)")
    }
    expect(details.filter((detail) => detail.includes("TEMP B-TREE"))).toEqual([])
  }
})

const firstOrLast = "eventlog_buckets_by_sequence (store=? AND bucket>? AND bucket<?)"
const byIds = "eventlog_buckets_by_id (store=? AND bucket>? AND (bucket,entry_id)<(?,?))"

it.each([
  ["sequence", false],
  ["sequence", true],
  ["id", false],
  ["id", true]
] as const)("goes from end to end of the buckets for survivors by %s; analyzed: %s", async (by, isKnown) => {
  const { db, explain, queries, use } = await openLogged()
  await use((feeds) => feeds.append(storeId, Array.from({ length: 2_000 }, makeRecord)))
  if (isKnown) await sql`analyze`.execute(db)
  queries.length = 0
  const groups = [{ events: ["Noted"], by }]
  await use((feeds) =>
    Effect.flatMap(feeds.survivors(storeId, { ...request, toSequence: 2_000, groups }), ({ pages }) =>
      Stream.runDrain(pages)
    )
  )
  const details = (await Promise.all(queries.map(explain))).flat()
  const scans = details.filter((detail) => detail.includes(" eventlog_entries "))
  expect(scans.filter((scan) => scan.includes(firstOrLast))).toHaveLength(2)
  expect(
    scans.filter((scan) => scan.includes(byIds)),
    scans.join("\n")
  ).toHaveLength(by === "id" ? 1 : 0)
  for (const scan of scans) expect(scan).toMatch(/\(store=\? AND (bucket|sequence|entry_id)/)
  expect(details.filter((detail) => detail.includes(" e ") && !detail.includes("(rowid=?)"))).toEqual(
    by === "id" ? [expect.stringContaining("(store=? AND sequence=?)")] : []
  )
  expect(details.filter((detail) => detail.includes("TEMP B-TREE"))).toEqual([])
})
