import {
  type BackendServices,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { freshName, postgresUrl } from "@eventlog-server/testkit/databases"
import SQLite from "better-sqlite3"
import { Duration, Effect, Exit, Layer, Logger, Option, Stream } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { type CompiledQuery, Kysely, SqliteDialect } from "kysely"
import { Client } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

const postgresAway = databases.find(({ name }) => name === "postgres")?.away

const storeIds = ["one", "two"].map((id) => EventLogMessage.StoreId.make(id))
const [storeId] = storeIds as [EventLogMessage.StoreId]
const together = { concurrency: "unbounded" } as const
const limits = { maxEntries: 10, maxBytes: 1_000 }
const range = { events: ["Noted"], primaryKey: "key", fromSequence: 1, toSequence: 10 }

const makeRecord = () => ({
  entry: new EventJournal.Entry(
    { id: EventJournal.makeEntryIdUnsafe(), event: "Noted", primaryKey: "key", payload: new Uint8Array(8) },
    { disableChecks: true }
  ),
  author: null,
  transportOnly: false
})

/** The entry that the store has at a sequence. */
const knownAt = Effect.fnUntraced(function* (sequence: number) {
  const { entries } = yield* (yield* FeedStore).read(storeId, sequence, limits)
  return { sequence, id: entries[0]!.entry.id }
})

const useFeeds = Effect.gen(function* () {
  const feeds = yield* FeedStore
  const records = [makeRecord(), makeRecord()]
  yield* Effect.forEach(storeIds, (storeId) => feeds.append(storeId, records), together)
  yield* feeds.append(storeId, [...records, makeRecord()])
  yield* Effect.forEach(storeIds, (storeId) => feeds.read(storeId, 1, limits), together)
  yield* feeds.read(storeId, 1, limits)
  for (const order of ["sequence", "newest"] as const) yield* feeds.bucket(storeId, [range], { order, ...limits })
  yield* feeds.bucketBounds(storeId, [range])
  yield* feeds.head(storeId)
  const known = yield* knownAt(1)
  yield* Effect.forEach(storeIds, (storeId) => feeds.append(storeId, [makeRecord()], known).pipe(Effect.exit), together)
  yield* Effect.forEach(storeIds, (storeId) => feeds.read(storeId, 1, limits, known).pipe(Effect.exit), together)
  yield* feeds.append(storeId, [], known)
  yield* feeds.read(storeId, 1, limits, known)
  for (const by of ["id", "sequence"] as const) {
    const groups = [{ events: ["Noted"], by }]
    const { pages } = yield* feeds.survivors(storeId, {
      groups,
      toSequence: 10,
      toId: new Uint8Array(16).fill(0xff),
      limits
    })
    yield* Stream.runDrain(pages)
  }
})

const failed = { event: "Noted", primaryKey: "key", author: null, reason: "HandlerFailed", message: "no room" } as const

const useProgress = Effect.gen(function* () {
  const progress = yield* StoreProgress
  const lease = Option.getOrThrow(yield* progress.lease(storeId))
  const [first, second] = [yield* knownAt(1), yield* knownAt(2)]
  yield* lease.transaction!(({ contain, failures }) =>
    contain(Effect.void).pipe(
      Effect.andThen(failures.record([{ sequence: 1, entryId: first.id, ...failed }])),
      Effect.andThen(failures.settle([1])),
      Effect.as(first)
    )
  )
  yield* lease.transaction!(() => Effect.succeed(undefined))
  yield* lease.advance(second)
  yield* Effect.flip(lease.advance({ ...second, id: first.id }))
  yield* progress.lease(storeId)
  yield* progress.raiseCutoffs(storeId, [{ events: ["Noted"], olderThan: Duration.days(1) }])
  yield* progress.raiseCutoffs(storeId, [])
  yield* progress.cursors(storeIds)
  yield* progress.behind(undefined, 10)
  const { failures } = progress
  yield* failures.record(storeId, [{ sequence: 2, entryId: second.id, ...failed }])
  yield* failures.retry(storeId, [2])
  yield* failures.list({ limit: 10 })
  yield* failures.list({ isDue: true, limit: 10 })
  yield* failures.list({ storeId, after: { storeId, sequence: 1 }, limit: 10 })
  yield* failures.settle(storeId, [2])
}).pipe(Effect.scoped)

const useRegistry = Effect.gen(function* () {
  const registry = yield* EventLogServerStoreRegistry
  const signingPublicKey = new Uint8Array(32)
  yield* registry.assign({ publicKey: "assigned", storeId })
  yield* registry.enroll({ publicKey: "enrolled", storeId, signingPublicKey })
  yield* registry.bind({ publicKey: "assigned", signingPublicKey })
  yield* registry.resolve("assigned")
  yield* registry.remove("assigned")
  yield* registry.list({ limit: 10 })
  yield* registry.list({ storeId, after: "a", limit: 10 })
})

const useAdmin = Effect.gen(function* () {
  const admin = yield* FeedAdmin
  yield* admin.heads(undefined, 10)
  yield* admin.erase(storeId)
  const id = yield* admin.id
  yield* admin.rotateId(id)
  yield* admin.rotateId(id)
})

/** Uses every port while somebody listens, until what is asked beside it was asked too. */
const useEverything = (missing: () => ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [feeds, registry] = [yield* FeedStore, yield* EventLogServerStoreRegistry]
    yield* Effect.forkScoped(Stream.runDrain(feeds.wakeups(storeId)))
    yield* Effect.forkScoped(Stream.runDrain(registry.changes))
    yield* useFeeds
    yield* useProgress
    yield* useRegistry
    yield* useAdmin
    yield* Effect.promise(() => expect.poll(missing).toEqual([]))
  }).pipe(Effect.scoped)

/**
 * What begins with `select` of what a server asks the database, after it asked all that it can.
 * @param asked what must be among it, at whatever time
 */
const collectSelects = async (
  queries: Array<CompiledQuery>,
  layer: Layer.Layer<BackendServices>,
  asked: ReadonlyArray<string>
): Promise<ReadonlyArray<CompiledQuery>> => {
  queries.length = 0
  const missing = () => asked.filter((text) => !queries.some(({ sql }) => sql.includes(text)))
  const exit = await Effect.runPromiseExit(
    Effect.provide(useEverything(missing), Layer.provide(layer, Logger.layer([])))
  )
  expect(exit).toEqual(Exit.void)
  return queries.filter(({ sql }) => /^\s*select\b/i.test(sql))
}

const looks = ["head, erased from", "access_changes, k.public_key"]

describe("statements that begin with select never write", () => {
  it("on SQLite", async () => {
    const queries: Array<CompiledQuery> = []
    const database = new SQLite(":memory:")
    const dialect = new SqliteDialect({ database })
    const db = new Kysely<unknown>({ dialect, log: ({ query }) => void queries.push(query) })
    onTestFinished(() => db.destroy())
    await ensureSchema(db, { dialect: "sqlite" })
    const { layer } = kyselyBackend({ db, dialect: "sqlite", transactionalHandlers: true })
    const selects = await collectSelects(queries, layer, looks)
    expect(selects.length).toBeGreaterThan(15)
    for (const query of selects) expect(database.prepare(query.sql).readonly, query.sql).toBe(true)
  })

  it.skipIf(postgresAway !== undefined)("on PostgreSQL, and notify nobody", async () => {
    const queries: Array<CompiledQuery> = []
    const db = openPostgres({}, (query) => void queries.push(query))
    const schema = freshName()
    onTestFinished(async () => {
      await dropSchema(db, schema)
      await db.destroy()
    })
    await ensureSchema(db, { dialect: "postgres", schema })
    const { layer } = kyselyBackend({
      db,
      dialect: "postgres",
      schema,
      transactionalHandlers: true,
      listen: () => new Client(postgresUrl),
      poll: { whileListening: "50 millis" }
    })
    const selects = await collectSelects(queries, layer, [...looks, "pg_notify"])
    expect(selects.length).toBeGreaterThan(15)
    for (const query of selects) {
      expect(query.sql).not.toContain("pg_notify")
      await db
        .transaction()
        .setAccessMode("read only")
        .execute((transaction) => transaction.executeQuery(query))
    }
  })
})
