import { FeedAdmin, FeedLostError, FeedStore, type KnownEntry, StoreProgress } from "@eventlog-server/core/backend"
import { freshName } from "@eventlog-server/testkit/databases"
import { makeRecord } from "@eventlog-server/testkit/schema"
import SQLite from "better-sqlite3"
import { Effect, Layer, Option } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Kysely, SqliteDialect, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { currentTransaction, type DialectName, ensureSchema, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

const storeIds = ["one", "two", "three"].map((id) => EventLogMessage.StoreId.make(id))
const [storeId] = storeIds as [EventLogMessage.StoreId]
const together = { concurrency: "unbounded" } as const
const limits = { maxEntries: 10, maxBytes: 1_000 }

/** Opens a database with the tables in it, and tells of each statement. */
const open: Partial<Record<DialectName, (onStatement: () => void) => Promise<Kysely<unknown>>>> = {
  postgres: async (onStatement) => {
    const schema = freshName()
    const db = openPostgres({ max: 2, options: `-c search_path=${schema}` }, onStatement)
    onTestFinished(async () => {
      await dropSchema(db, schema)
      await db.destroy()
    })
    await ensureSchema(db, { dialect: "postgres", schema })
    return db
  },
  sqlite: async (onStatement) => {
    const dialect = new SqliteDialect({ database: new SQLite(":memory:") })
    const db = new Kysely<unknown>({ dialect, log: onStatement })
    onTestFinished(() => db.destroy())
    await ensureSchema(db, { dialect: "sqlite" })
    return db
  }
}

for (const { away, name } of databases.filter(({ name }) => open[name] !== undefined)) {
  describe.skipIf(away !== undefined)(`known entries on ${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async () => {
      let statements = 0
      const db = await open[name]!(() => statements++)
      const poll = { min: "1 hour", max: "1 hour" } as const
      const { layer } = kyselyBackend({ db, dialect: name, poll, transactionalHandlers: true })
      const cost = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.suspend(() => {
          statements = 0
          return Effect.map(effect, () => statements)
        })
      const run = <A, E>(effect: Effect.Effect<A, E, FeedStore | FeedAdmin | StoreProgress>) =>
        Effect.runPromise(Effect.provide(effect, Layer.fresh(layer)))
      return { cost, db, run }
    }

    /** Writes to every store, and returns what is known of each then. */
    const write = Effect.gen(function* () {
      const [feeds, remoteId] = [yield* FeedStore, yield* FeedAdmin.use(({ id }) => id)]
      const known = new Map<EventLogMessage.StoreId, KnownEntry>()
      for (const storeId of storeIds) {
        const record = makeRecord()
        yield* feeds.append(storeId, [record])
        known.set(storeId, { sequence: 1, id: record.entry.id, remoteId })
      }
      return known
    })

    it("are looked for in the statements that there are anyway", async () => {
      const { cost, run } = await setUp()
      await run(
        Effect.gen(function* () {
          const feeds = yield* FeedStore
          const known = yield* write
          expect(yield* cost(feeds.append(storeId, [makeRecord()], known.get(storeId)))).toBe(1)
          expect(yield* cost(feeds.read(storeId, 1, limits, known.get(storeId)))).toBe(1)
          const all = (
            entryOf: (storeId: EventLogMessage.StoreId) => KnownEntry | undefined
          ): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
            Effect.forEach(storeIds, (id) => feeds.append(id, [makeRecord()], entryOf(id)), together),
            Effect.forEach(storeIds, (id) => feeds.read(id, 1, limits, entryOf(id)), together)
          ]
          for (const [index, presenting] of all((id) => known.get(id)).entries()) {
            expect(yield* cost(presenting)).toBe(yield* cost(all(() => undefined)[index]!))
          }
        })
      )
    })

    it("that are gone take one more look, of an append or a cursor", async () => {
      const { cost, run } = await setUp()
      await run(
        Effect.gen(function* () {
          const [feeds, progress] = [yield* FeedStore, yield* StoreProgress]
          yield* write
          const lost = { sequence: 1, id: makeRecord().entry.id }
          const lease = Option.getOrThrow(yield* progress.lease(storeId))
          const calls = [
            [feeds.append(storeId, [makeRecord()], lost), 2],
            [feeds.read(storeId, 1, limits, lost), 1],
            [lease.advance(lost), 2]
          ] as const
          for (const [call, statements] of calls) {
            const failing = Effect.map(Effect.flip<unknown, unknown, never>(call), (error) =>
              expect(error).toBeInstanceOf(FeedLostError)
            )
            expect(yield* cost(failing)).toBe(statements)
          }
        }).pipe(Effect.scoped)
      )
    })

    it("of another history are none, of many stores at once as of one", async () => {
      const { run } = await setUp()
      await run(
        Effect.gen(function* () {
          const [feeds, progress, admin] = [yield* FeedStore, yield* StoreProgress, yield* FeedAdmin]
          const known = yield* write
          const leases = yield* Effect.forEach(storeIds, (storeId) =>
            Effect.map(progress.lease(storeId), Option.getOrThrow)
          )
          const entries = storeIds.map((storeId) => known.get(storeId)!)
          const { id: remoteId } = yield* admin.rotateId(entries[0]!.remoteId!)
          // The first is of the history that there is now.
          const presented = entries.map((entry, index) => (index === 0 ? { ...entry, remoteId } : entry))
          const calls = [
            (index: number) => feeds.append(storeIds[index]!, [makeRecord()], presented[index]),
            (index: number) => feeds.read(storeIds[index]!, 1, limits, presented[index]),
            (index: number) => leases[index]!.advance(presented[index]!)
          ]
          for (const call of calls) {
            const results = yield* Effect.forEach(
              storeIds,
              (_, index) => Effect.result<unknown, unknown, never>(call(index)),
              together
            )
            expect(results.map(({ _tag }) => _tag)).toEqual(["Success", "Failure", "Failure"])
            for (const result of results.slice(1)) expect(result).toMatchObject({ failure: { _tag: "FeedLostError" } })
          }
        }).pipe(Effect.scoped)
      )
    })

    it("that are gone undo the transaction that would move a cursor to them", async () => {
      const { db, run } = await setUp()
      await db.schema.createTable("handled").addColumn("sequence", "integer").execute()
      const handled = async () => (await sql`select sequence from handled`.execute(db)).rows
      await run(
        Effect.gen(function* () {
          const progress = yield* StoreProgress
          const there = (yield* write).get(storeId)!
          const lease = Option.getOrThrow(yield* progress.lease(storeId))
          const process = (entry: KnownEntry) =>
            lease.transaction!(({ contain }) =>
              Effect.gen(function* () {
                const transaction = yield* currentTransaction<unknown>()
                yield* Effect.promise(() => sql`insert into handled values (${entry.sequence})`.execute(transaction))
              }).pipe(contain, Effect.as(entry))
            )
          const lost = { sequence: 1, id: makeRecord().entry.id }
          expect(yield* Effect.flip(process(lost))).toBeInstanceOf(FeedLostError)
          expect(yield* Effect.promise(handled)).toEqual([])
          expect(yield* progress.cursors([storeId])).toEqual([0])
          yield* process(there)
          expect(yield* Effect.promise(handled)).toEqual([{ sequence: 1 }])
          expect(yield* progress.cursors([storeId])).toEqual([1])
        }).pipe(Effect.scoped)
      )
    })
  })
}
