import { FeedAdmin, FeedStore, StoreProgress } from "@eventlog-server/core"
import { defaultLimits } from "@eventlog-server/core/protocol"
import { Effect, Option } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"

const storeId = EventLogMessage.StoreId.make("store")
const other = EventLogMessage.StoreId.make("other")

const makeRecord = (payload: Uint8Array<ArrayBuffer>) => ({
  entry: new EventJournal.Entry(
    { id: EventJournal.makeEntryIdUnsafe(), event: "Noted", primaryKey: `'\\"${"é".repeat(50)}`, payload },
    { disableChecks: true }
  ),
  author: "device",
  transportOnly: false
})

const table = ({ options: { schema } }: TestDatabase<unknown>, name: string) =>
  sql.table(schema === undefined ? `eventlog_${name}` : `${schema}.eventlog_${name}`)

for (const { away, name, open } of databases) {
  describe.skipIf(away !== undefined)(`${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async () => {
      const database = await open()
      const { layer } = kyselyBackend({ db: database.db, ...database.options })
      const run = <A, E>(effect: Effect.Effect<A, E, FeedStore | FeedAdmin | StoreProgress>) =>
        Effect.runPromise(Effect.provide(effect, layer))
      return { ...database, run }
    }

    const write = (payloads: ReadonlyArray<Uint8Array<ArrayBuffer>>) =>
      Effect.gen(function* () {
        const feeds = yield* FeedStore
        const records = payloads.map(makeRecord)
        const slots = yield* feeds.append(storeId, records)
        expect(slots.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1))
        let from = 1
        while (from <= records.length) {
          const page = yield* feeds.read(storeId, from, { maxEntries: 1_000, maxBytes: 1024 * 1024 })
          for (const { entry, remoteSequence } of page.entries) {
            const written = records[remoteSequence - 1]?.entry
            expect(remoteSequence).toBe(from++)
            expect(entry.primaryKey).toBe(written?.primaryKey)
            expect(Buffer.compare(entry.payload, written?.payload ?? new Uint8Array())).toBe(0)
          }
        }
      })

    it("takes an append of as many entries as the server hands over", async () => {
      const { run } = await setUp()
      await run(
        write(Array.from({ length: defaultLimits.maxAppendEntries }, (_, index) => new Uint8Array(50).fill(index)))
      )
    })

    it("takes entries as large as they may be, as many as the server hands over", async () => {
      const { run } = await setUp()
      // Two are all that an append may weigh. PGlite takes seconds for each.
      const bytes = name === "pglite" ? [255] : [7, 255]
      await run(write(bytes.map((byte) => new Uint8Array(defaultLimits.maxEntryBytes).fill(byte))))
    })

    it("refuses sequences that a number can't hold, instead of rounding them", async () => {
      const database = await setUp()
      await sql`insert into ${table(database, "stores")} (store_id, head, processed)
        values (${storeId}, 9007199254740993, 9007199254740993)`.execute(database.db)
      const failures = Effect.gen(function* () {
        const [feeds, admin, progress] = [yield* FeedStore, yield* FeedAdmin, yield* StoreProgress]
        return [
          yield* Effect.flip(feeds.read(storeId, 1, { maxEntries: 10, maxBytes: 1_000 })),
          yield* Effect.flip(feeds.append(storeId, [makeRecord(new Uint8Array(1))])),
          yield* Effect.flip(admin.heads(undefined, 10)),
          yield* Effect.flip(progress.cursors([storeId]))
        ]
      })
      for (const failure of await database.run(failures)) {
        expect(failure).toMatchObject({ retryable: false, cause: { message: expect.stringContaining("exactly") } })
      }
    })

    it("numbers no store that has its row, however often its lease is asked for in vain", async () => {
      const database = await setUp()
      await database.run(
        Effect.gen(function* () {
          const progress = yield* StoreProgress
          yield* progress.lease(storeId)
          for (let attempt = 0; attempt < 3; attempt++) expect(yield* progress.lease(storeId)).toEqual(Option.none())
          yield* progress.lease(other)
        }).pipe(Effect.scoped)
      )
      const { rows } = await sql<{
        readonly id: number
      }>`select id from ${table(database, "stores")} order by id`.execute(database.db)
      expect(rows).toEqual([{ id: 1 }, { id: 2 }])
    })

    it("finishes a migration that was cut off, and keeps what is there", async () => {
      const database = await setUp()
      const id = FeedStore.use((feeds) => feeds.id)
      const before = await database.run(id)
      await sql`delete from ${table(database, "migrations")}`.execute(database.db)
      await sql`drop table ${table(database, "groups")}`.execute(database.db)
      await ensureSchema(database.db, database.options)
      expect(await database.run(id)).toEqual(before)
      expect(await database.run(StoreProgress.use((progress) => progress.raiseCutoffs(storeId, [])))).toEqual([])
      await sql`select * from ${table(database, "groups")}`.execute(database.db)
    })
  })
}
