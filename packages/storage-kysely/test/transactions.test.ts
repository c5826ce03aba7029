import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  InsideTransactionError
} from "@eventlog-server/core"
import { FeedStore, StoreProgress } from "@eventlog-server/core/backend"
import { StoreId } from "@eventlog-server/core/effect"
import { AddedTodos, addedSchema, makeRecord, silent } from "@eventlog-server/testkit/schema"
import { Deferred, Effect, Option } from "effect"
import { EventLog } from "effect/eventlog"
import { type Kysely, sql, type Transaction } from "kysely"
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest"
import { currentTransaction, kyselyBackend, OuterDatabaseError, RevokedTransactionError } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import type { NotesDatabase } from "./notes.ts"

type Options = CreateEventLogServerOptions<typeof AddedTodos, Transaction<NotesDatabase>>

const createNotes = (db: Kysely<NotesDatabase>) =>
  db.schema
    .createTable("notes")
    .addColumn("place", "integer", (column) => column.notNull().unique())
    .addColumn("text", "text", (column) => column.notNull())
    .execute()

const textsIn = async (db: Kysely<NotesDatabase>) =>
  (await db.selectFrom("notes").select("text").orderBy("place").execute()).map(({ text }) => text)

/** A server whose handlers share the cursor's transaction. */
const startServer = (
  { db, options }: TestDatabase<NotesDatabase>,
  handlers: Options["handlers"],
  more: Partial<Options> = {}
) => {
  const server = createEventLogServer({
    schema: addedSchema,
    handlers,
    backend: kyselyBackend({ db, ...options, transactionalHandlers: true }),
    auth: allowAll,
    logger: silent,
    ...more
  })
  onTestFinished(() => server.close())
  const write = async (...texts: ReadonlyArray<string>) => {
    const written = texts.map((text) =>
      server.write({ storeId: "notes", event: "TodoAdded", payload: { id: "k", text } })
    )
    return (await Promise.all(written)).map(({ sequenceNumbers }) => sequenceNumbers[0] ?? 0)
  }
  const processed = (sequence: number) => server.processed({ storeId: "notes", sequence })
  return { server, write, processed }
}

let places = 0

const insert = (transaction: Kysely<NotesDatabase>, text: string) =>
  transaction.insertInto("notes").values({ place: ++places, text }).execute()

for (const { away, conflict, name, open, singleConnection } of databases) {
  describe.skipIf(away !== undefined)(
    `handlers in transactions on ${name}${away === undefined ? "" : `: ${away}`}`,
    () => {
      const setUp = async (connections?: number) => {
        const database = await open<NotesDatabase>(connections)
        await createNotes(database.db)
        return database
      }

      it("commit what they wrote together with the cursor, entry by entry in order", async () => {
        const database = await setUp()
        const { processed, write } = startServer(database, {
          TodoAdded: async ({ payload, transaction }) => {
            expectTypeOf(transaction).toEqualTypeOf<Transaction<NotesDatabase>>()
            await insert(transaction, payload.text)
          }
        })
        // More than one transaction takes.
        const texts = Array.from({ length: 120 }, (_, index) => `note ${index}`)
        await write(...texts)
        await processed(120)
        expect(await textsIn(database.db)).toEqual(texts)
      })

      it("undo what a handler that failed wrote, and nothing else", async () => {
        const database = await setUp()
        const onHandlerFailure = vi.fn()
        const { processed, write } = startServer(
          database,
          {
            TodoAdded: async ({ payload, transaction }) => {
              await insert(transaction, payload.text)
              if (payload.text === "bad") throw new Error("refused")
            }
          },
          { onHandlerFailure }
        )
        await write("one", "bad", "two")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
        expect(onHandlerFailure.mock.calls).toMatchObject([[{ reason: "HandlerFailed", sequence: 2 }]])
      })

      it("settle a failure together with what its handler wrote when it is tried again", async () => {
        const database = await setUp()
        let isDown = true
        const { processed, server, write } = startServer(database, {
          TodoAdded: async ({ payload, transaction }) => {
            await insert(transaction, payload.text)
            if (isDown && payload.text !== "fine") throw Object.assign(new Error("down"), { retryable: false })
          }
        })
        await write("one", "fine", "two")
        await processed(3)
        expect(await server.failures()).toMatchObject([
          { sequence: 1, reason: "HandlerFailed", message: "down" },
          { sequence: 3 }
        ])
        expect(await server.retryFailures()).toBe(2)
        await vi.waitFor(async () =>
          expect((await server.failures()).map(({ attempts, isDue }) => [attempts, isDue])).toEqual([
            [2, false],
            [2, false]
          ])
        )
        expect(await textsIn(database.db)).toEqual(["fine"])
        isDown = false
        await server.retryFailures()
        await vi.waitFor(async () => expect(await server.failures()).toEqual([]))
        expect(await textsIn(database.db)).toEqual(["fine", "one", "two"])
      })

      it("see a feed again behind a reset, which is committed with the cursor, or neither", async () => {
        const database = await setUp()
        const resets: Array<number> = []
        let isBroken = true
        const seen: Array<string> = []
        const { processed, server, write } = startServer(
          database,
          {
            TodoAdded: async ({ isReplay, payload, transaction }) => {
              seen.push(isReplay ? `${payload.text} again` : payload.text)
              await insert(transaction, payload.text)
            }
          },
          {
            sweepInterval: 200,
            onReset: async ({ from, storeId, transaction }) => {
              expect(storeId).toBe("notes")
              resets.push(from)
              await transaction.deleteFrom("notes").execute()
              if (isBroken) throw new Error("the disk is full")
            }
          }
        )
        await write("one", "two", "three")
        await processed(3)
        expect(await server.reprocess({ storeId: "notes" })).toBe(1)
        await vi.waitFor(() => expect(resets.length).toBeGreaterThan(1), { timeout: 10_000 })
        expect(await textsIn(database.db)).toEqual(["one", "two", "three"])
        isBroken = false
        await write("four")
        await vi.waitFor(async () => expect(await textsIn(database.db)).toEqual(["one", "two", "three", "four"]), {
          timeout: 10_000
        })
        await vi.waitFor(() => expect(seen).toContain("three again"), { timeout: 10_000 })
        expect(seen).toEqual(["one", "two", "three", "one again", "two again", "three again", "four"])
        expect(new Set(resets)).toEqual(new Set([1]))
        expect(await server.failures()).toEqual([])
      })

      it("keep and settle failures with the transaction, or not at all", async () => {
        const { db, options } = await setUp()
        const { layer } = kyselyBackend({ db, ...options, transactionalHandlers: true })
        const storeId = StoreId.make("notes")
        const { entry } = makeRecord()
        const failure = {
          ...{ sequence: 1, entryId: entry.id, event: entry.event, primaryKey: "", author: null },
          ...{ reason: "HandlerFailed" as const, message: "no" }
        }
        await Effect.gen(function* () {
          const [feeds, progress] = [yield* FeedStore, yield* StoreProgress]
          yield* feeds.append(storeId, [{ entry, author: null, transportOnly: false }])
          const { transaction } = Option.getOrThrow(yield* progress.lease(storeId))
          const kept = Effect.map(progress.failures.list({ storeId, limit: 9 }), (found) => found.length)
          yield* Effect.flip(
            transaction!(({ failures }) => Effect.andThen(failures.record([failure]), Effect.fail("lost")))
          )
          expect(yield* kept).toBe(0)
          yield* transaction!(({ failures }) =>
            Effect.map(failures.record([failure]), (count) => {
              expect(count).toBe(1)
              return { sequence: 1, id: entry.id }
            })
          )
          expect(yield* kept).toBe(1)
          expect(yield* progress.cursors([storeId])).toEqual([1])
          yield* Effect.flip(transaction!(({ failures }) => Effect.andThen(failures.settle([1]), Effect.fail("lost"))))
          expect(yield* kept).toBe(1)
          yield* transaction!(({ failures }) => Effect.as(failures.settle([1]), undefined))
          expect(yield* kept).toBe(0)
          expect(yield* progress.cursors([storeId])).toEqual([1])
        }).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)
      })

      it("go on behind a statement that failed, whether the handler took notice or not", async () => {
        const database = await setUp()
        const { processed, write } = startServer(database, {
          TodoAdded: async ({ payload, transaction }) => {
            if (payload.text === "bad") await sql`select nonsense`.execute(transaction).catch(() => {})
            else await insert(transaction, payload.text)
          }
        })
        await write("one", "bad", "two")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
      })

      it("leave out a handler that runs out of time, once, and take its transaction away", async () => {
        const database = await setUp()
        const onHandlerFailure = vi.fn()
        const later = Deferred.makeUnsafe<unknown>()
        const seen: Array<string> = []
        const { processed, write } = startServer(
          database,
          {
            TodoAdded: async ({ payload, signal, transaction }) => {
              seen.push(payload.text)
              await insert(transaction, payload.text)
              if (payload.text !== "slow") return
              await new Promise((resolve) => signal.addEventListener("abort", resolve))
              const attempt = await insert(transaction, "too late").catch((error: unknown) => error)
              Deferred.doneUnsafe(later, Effect.succeed(attempt))
            }
          },
          { onHandlerFailure, handlerTimeout: 300 }
        )
        await write("one", "slow", "two")
        await processed(3)
        expect(await Effect.runPromise(Deferred.await(later))).toBeInstanceOf(RevokedTransactionError)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
        expect(seen.filter((text) => text === "slow")).toHaveLength(1)
        expect(onHandlerFailure.mock.calls).toMatchObject([[{ reason: "TimedOut", sequence: 2 }]])
      })

      it("fail when they call the server, instead of waiting for themselves", async () => {
        const database = await setUp(1)
        const onHandlerFailure = vi.fn()
        const { processed, server, write } = startServer(
          database,
          {
            TodoAdded: async ({ payload, transaction }) => {
              await insert(transaction, payload.text)
              if (payload.text === "writes") await write("another")
              if (payload.text === "waits") await server.processed({ storeId: "notes", sequence: 9 })
              if (payload.text === "reads") for await (const _ of server.read({ storeId: "notes", from: 1 })) break
            }
          },
          { onHandlerFailure }
        )
        await write("one", "writes", "waits", "reads", "two")
        await processed(5)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
        const causes = onHandlerFailure.mock.calls.map(([{ cause }]) => cause)
        expect(causes).toEqual(Array(3).fill(expect.any(InsideTransactionError)))
        expect(causes.map(({ operation }) => operation)).toEqual(["write", "processed", "read"])
      })

      it("hand the transaction to the handlers of an EventLog.group, which can't call the server either", async () => {
        const database = await setUp()
        const onHandlerFailure = vi.fn()
        const handlers = EventLog.group(AddedTodos, (on) =>
          on.handle("TodoAdded", ({ payload }) =>
            Effect.gen(function* () {
              const transaction = yield* currentTransaction<NotesDatabase>()
              yield* Effect.promise(() => insert(transaction, payload.text))
              if (payload.text === "bad") yield* Effect.die(new Error("refused"))
            })
          )
        )
        const { processed, write } = startServer(database, handlers, { onHandlerFailure })
        await write("one", "bad", "two")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
        // It is told once what the handler did is settled, which others may know before.
        await expect.poll(() => onHandlerFailure.mock.calls.length).toBe(1)
      })

      it("run again, all of the transaction, when they met others", async () => {
        const database = await setUp()
        const onHandlerFailure = vi.fn()
        let conflicts = 0
        const { processed, write } = startServer(
          database,
          {
            TodoAdded: async ({ payload, transaction }) => {
              await insert(transaction, payload.text)
              if (payload.text === "meets" && conflicts++ < 2) {
                throw Object.assign(new Error("in the way"), { code: conflict })
              }
            }
          },
          { onHandlerFailure }
        )
        await write("one", "meets", "two")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "meets", "two"])
        expect([conflicts, onHandlerFailure.mock.calls]).toEqual([3, []])
      })

      it("commit nothing when the lease was lost, and run again where it is held", async () => {
        const database = await setUp()
        const stores =
          database.options.schema === undefined ? "eventlog_stores" : `${database.options.schema}.eventlog_stores`
        let isLost = false
        const { processed, write } = startServer(database, {
          TodoAdded: async ({ payload, transaction }) => {
            await insert(transaction, payload.text)
            if (isLost || payload.text !== "two") return
            isLost = true
            // As if another process had taken it over, which a lease that ran out allows.
            await sql`update ${sql.table(stores)} set lease_holder = 'another', lease_until = 0`.execute(transaction)
          }
        })
        await write("one", "two", "three")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "two", "three"])
      })

      it("may write to the server, with a single connection, where they don't share the transaction", async () => {
        const { db, options } = await setUp(1)
        const server = createEventLogServer({
          schema: addedSchema,
          handlers: {
            TodoAdded: async ({ payload, transaction }) => {
              expectTypeOf(transaction).toEqualTypeOf<undefined>()
              if (payload.text !== "one") return
              await server.write({ storeId: "notes", event: "TodoAdded", payload: { id: "k", text: "two" } })
            }
          },
          backend: kyselyBackend({ db, ...options }),
          auth: allowAll
        })
        onTestFinished(() => server.close())
        await server.write({ storeId: "notes", event: "TodoAdded", payload: { id: "k", text: "one" } })
        await server.processed({ storeId: "notes", sequence: 2 })
      })

      it.runIf(singleConnection)("fail when they use the app's database beside the transaction", async () => {
        const database = await setUp()
        const onHandlerFailure = vi.fn()
        const { processed, write } = startServer(
          database,
          {
            TodoAdded: async ({ payload, transaction }) => {
              await insert(transaction, payload.text)
              if (payload.text === "bad") await insert(database.db, "outside")
            }
          },
          { onHandlerFailure }
        )
        await write("one", "bad", "two")
        await processed(3)
        expect(await textsIn(database.db)).toEqual(["one", "two"])
        expect(onHandlerFailure.mock.calls).toMatchObject([[{ cause: expect.any(OuterDatabaseError) }]])
      })
    }
  )
}
