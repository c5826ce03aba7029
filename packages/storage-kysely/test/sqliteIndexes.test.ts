import { FeedStore } from "@eventlog-server/core"
import SQLite from "better-sqlite3"
import { Effect } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type CompiledQuery, Kysely, SqliteDialect } from "kysely"
import { expect, it, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"

const storeId = EventLogMessage.StoreId.make("store")
const range = { events: ["Noted", "Renamed"], primaryKey: "key", fromSequence: 1, toSequence: 1_000 }
const limits = { maxEntries: 10, maxBytes: 1_000 }

type LookUp = (feeds: FeedStore["Service"]) => Effect.Effect<unknown, unknown>

const byId: LookUp = (feeds) =>
  feeds.bucket(storeId, [{ ...range, afterId: new Uint8Array(16) }], { order: "newest", ...limits })
const bySequence: LookUp = (feeds) =>
  feeds.bucket(storeId, [{ ...range, afterId: new Uint8Array(16) }], { order: "sequence", ...limits })
const bounds: LookUp = (feeds) => feeds.bucketBounds(storeId, [range])

/** SQLite counts no rows for a test, but says how it goes about a statement. */
it.each([
  ["newest entries", byId, "eventlog_buckets_by_id"],
  ["entries in order", bySequence, "eventlog_buckets_by_sequence"],
  ["bounds", bounds, "eventlog_buckets_by_sequence"]
] as const)("looks up a bucket's %s along the index that has their order", async (_, lookUp, index) => {
  const queries: Array<CompiledQuery> = []
  const dialect = new SqliteDialect({ database: new SQLite(":memory:") })
  const db = new Kysely<unknown>({ dialect, log: ({ query }) => void queries.push(query) })
  onTestFinished(() => db.destroy())
  await ensureSchema(db, { dialect: "sqlite" })
  queries.length = 0
  await Effect.runPromise(
    FeedStore.use(lookUp).pipe(Effect.provide(kyselyBackend({ db, dialect: "sqlite" }).layer), Effect.orDie)
  )
  const selects = queries.filter((query) => query.sql.includes("bucket = p.bucket"))
  expect(selects.length).toBeGreaterThan(0)
  for (const query of selects) {
    const { rows } = await db.executeQuery<{ readonly detail: string }>({
      ...query,
      sql: `explain query plan ${query.sql}`
    })
    const details = rows.map(({ detail }) => detail)
    const scans = details.filter((detail) => detail.includes(" eventlog_entries "))
    expect(scans.length).toBeGreaterThan(0)
    for (const scan of scans) expect(scan).toContain(`INDEX ${index} `)
    for (const fetch of details.filter((detail) => detail.includes(" e "))) {
      expect(fetch).toContain("(store=? AND sequence=?)")
    }
    expect(details.filter((detail) => detail.includes("TEMP B-TREE"))).toEqual([])
  }
})
