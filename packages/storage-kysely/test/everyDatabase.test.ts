import {
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  type StoreId,
  StoreProgress
} from "@eventlog-server/core/backend"
import { defaultLimits } from "@eventlog-server/core/protocol"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect, Option } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, type RawBuilder, sql } from "kysely"
import { Migrator, NO_MIGRATIONS } from "kysely/migration"
import { describe, expect, it } from "vitest"
import { type DialectName, ensureSchema, kyselyBackend, migrations } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"

const storeId = EventLogMessage.StoreId.make("store")
const other = EventLogMessage.StoreId.make("other")

const recordOf = (payload: Uint8Array) =>
  makeRecord({ event: "Noted", primaryKey: `'\\"${"é".repeat(50)}`, payload, author: "device" })

const table = ({ options: { schema } }: TestDatabase<unknown>, name: string) =>
  sql.table(schema === undefined ? `eventlog_${name}` : `${schema}.eventlog_${name}`)

/** The columns of the index by which the keys of a store are found, in order. */
const postgresIndex = sql<{ readonly name: string }>`
  select a.attname as name from pg_class as c join pg_attribute as a on a.attrelid = c.oid
  where c.relname = 'eventlog_keys_by_store' and c.relnamespace = current_schema()::regnamespace order by a.attnum`
const storeIndex: Record<DialectName, RawBuilder<{ readonly name: string }>> = {
  postgres: postgresIndex,
  pglite: postgresIndex,
  mysql: sql`select column_name as name from information_schema.statistics
    where index_name = 'eventlog_keys_by_store' and table_schema = database() order by seq_in_index`,
  sqlite: sql`select name from pragma_index_info('eventlog_keys_by_store') order by seqno`
}

/** Records failures of the first entries of a store. */
const record = (storeId: StoreId, count: number, message = "no room") =>
  StoreProgress.use(({ failures }) =>
    failures.record(
      storeId,
      Array.from({ length: count }, (_, index) => ({
        sequence: index + 1,
        entryId: new Uint8Array(16).fill(index),
        event: "Noted",
        primaryKey: "key",
        author: null,
        reason: "HandlerFailed",
        message
      }))
    )
  )

/** Whether somebody waits for the row of a store. */
const isWaiting = async (db: Kysely<unknown>, name: DialectName): Promise<boolean> => {
  const waiting =
    name === "mysql"
      ? sql`select 1 from information_schema.innodb_trx join information_schema.processlist
          on id = trx_mysql_thread_id where trx_state = 'LOCK WAIT' and db = database()`
      : sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'
          and query like '%' || current_schema() || '%'`
  return (await waiting.execute(db)).rows.length > 0
}

const columnsOfStoreIndex = async (db: Kysely<unknown>, name: DialectName): Promise<ReadonlyArray<string>> => {
  const { rows } = await storeIndex[name].execute(db)
  return rows.map(({ name }) => name)
}

for (const { away, name, open, singleConnection } of databases) {
  describe.skipIf(away !== undefined)(`${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async () => {
      const database = await open()
      const { layer } = kyselyBackend({ db: database.db, ...database.options })
      const run = <A, E>(
        effect: Effect.Effect<A, E, FeedStore | FeedAdmin | StoreProgress | EventLogServerStoreRegistry>
      ) => Effect.runPromise(Effect.provide(effect, layer))
      return { ...database, run }
    }

    const write = (payloads: ReadonlyArray<Uint8Array<ArrayBuffer>>) =>
      Effect.gen(function* () {
        const feeds = yield* FeedStore
        const records = payloads.map(recordOf)
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
          yield* Effect.flip(feeds.append(storeId, [recordOf(new Uint8Array(1))])),
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

    it("brings the tables of an earlier release up to date, with keys as long as they may be in them", async () => {
      const { db, options, run } = await setUp()
      const migrator = new Migrator({ db, ...migrations(options) })
      for (const target of [NO_MIGRATIONS, "0001_tables"]) {
        const { error } = await migrator.migrateTo(target)
        expect(error).toBeUndefined()
      }
      expect(await columnsOfStoreIndex(db, options.dialect)).toEqual([])
      // Text that can't be compressed, of as many bytes as the server lets in.
      const longest = (characters: number, first: number) =>
        Array.from({ length: characters }, (_, index) => String.fromCodePoint(first + ((index * 7_919) % 20_000))).join(
          ""
        )
      const mapping = { publicKey: longest(170, 0x4e00), storeId: EventLogMessage.StoreId.make(longest(255, 0x4e01)) }
      await run(EventLogServerStoreRegistry.use((registry) => registry.assign(mapping)))
      await ensureSchema(db, options)
      expect(await columnsOfStoreIndex(db, options.dialect)).toEqual(["store_id", "public_key"])
      const found = await run(EventLogServerStoreRegistry.use((registry) => registry.list({ limit: 2 })))
      expect(found).toEqual([{ ...mapping, signingPublicKey: undefined }])
      const ofStore = { storeId: mapping.storeId, limit: 2 }
      expect(await run(EventLogServerStoreRegistry.use((registry) => registry.list(ofStore)))).toEqual(found)
      expect(await run(record(mapping.storeId, 1))).toBe(1)
    })

    it("remembers what was rewound in tables of an earlier release, whose nodes leave it alone", async () => {
      const database = await setUp()
      const { db, options, run } = database
      const migrator = new Migrator({ db, ...migrations(options) })
      for (const target of [NO_MIGRATIONS, "0004_retries"]) {
        const { error } = await migrator.migrateTo(target)
        expect(error).toBeUndefined()
      }
      const stores = table(database, "stores")
      await sql`insert into ${stores} (store_id, head, processed) values (${storeId}, 9, 9)`.execute(db)
      await ensureSchema(db, options)
      await run(StoreProgress.use((progress) => progress.rewind(storeId, 4)))
      // As such a node moves a cursor.
      await sql`update ${stores} set head = 10, processed = 10 where store_id = ${storeId}`.execute(db)
      const progress = await run(
        StoreProgress.use(({ lease }) => Effect.scoped(Effect.map(lease(storeId), Option.getOrThrow)))
      )
      expect(progress).toMatchObject({ cursor: 10, replayTo: 0, rewindTo: 4 })
    })

    it("lets nodes of the release before retries keep and settle failures beside newer ones", async () => {
      const database = await setUp()
      const list = StoreProgress.use(({ failures }) => failures.list({ storeId, limit: 9 }))
      await database.run(record(storeId, 2))
      await database.run(StoreProgress.use(({ failures }) => failures.retry(storeId, [1, 2])))
      // What such a node does: it knows nothing of what is due.
      const [failures, stores] = [table(database, "failures"), table(database, "stores")]
      const ofStore = sql`store = (select id from ${stores} where store_id = ${storeId})`
      await sql`delete from ${failures} where ${ofStore} and sequence = 1`.execute(database.db)
      const due = StoreProgress.use((progress) => progress.failures.list({ storeId, isDue: true, limit: 9 }))
      expect((await database.run(due)).map(({ sequence }) => sequence)).toEqual([2])
      expect((await database.run(list)).map(({ sequence }) => sequence)).toEqual([2])
      await database.run(record(storeId, 1))
      expect((await database.run(due)).map(({ sequence }) => sequence)).toEqual([2])
    })

    it("keeps failures of any number and length, and nothing of them in an erased store", async () => {
      const database = await setUp()
      const kept = async () => {
        const { rows } = await sql<{ readonly kept: number | string }>`
          select count(*) as kept from ${table(database, "failures")}`.execute(database.db)
        return Number(rows[0]?.kept)
      }
      const list = StoreProgress.use(({ failures }) => failures.list({ storeId, limit: 1_000 }))
      expect(await database.run(record(storeId, 250, "é".repeat(40_000)))).toBe(250)
      expect(await database.run(record(storeId, 250))).toBe(250)
      expect((await database.run(list)).map(({ attempts, sequence }) => [sequence, attempts])).toEqual(
        Array.from({ length: 250 }, (_, index) => [index + 1, 2])
      )
      expect(await database.run(record(other, 1))).toBe(1)
      expect(await kept()).toBe(251)
      await database.run(FeedAdmin.use((admin) => admin.erase(storeId)))
      expect(await database.run(record(storeId, 1))).toBe(0)
      expect(await kept()).toBe(1)
    })

    it.skipIf(singleConnection)("keeps no failure that is recorded while the store is erased", async () => {
      const database = await setUp()
      await database.run(record(storeId, 1))
      const erasure = await database.openAnother().startTransaction().execute()
      await sql`update ${table(database, "stores")} set erased = 1 where store_id = ${storeId}`.execute(erasure)
      let isDone = false
      const recording = database.run(record(storeId, 2)).finally(() => {
        isDone = true
      })
      await expect.poll(async () => isDone || (await isWaiting(database.db, name)), { interval: 300 }).toBe(true)
      expect(isDone).toBe(false)
      await sql`delete from ${table(database, "failures")}`.execute(erasure)
      await erasure.commit().execute()
      expect(await recording).toBe(0)
    })

    it("finishes a migration that was cut off, and keeps what is there", async () => {
      const database = await setUp()
      const id = FeedAdmin.use((admin) => admin.id)
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
