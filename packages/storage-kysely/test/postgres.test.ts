import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { FeedStore } from "@eventlog-server/core/backend"
import { freshName, postgresUrl } from "@eventlog-server/testkit/databases"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import { addedSchema, makeRecord, silent } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Kysely, PostgresDialect, sql } from "kysely"
import { Client, Pool } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, type KyselyBackendOptions, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"
import type { NotesDatabase } from "./notes.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

const storeId = EventLogMessage.StoreId.make("store")

/** A schema with the tables, until the test is over. */
const openTables = async () => {
  const db = openPostgres()
  const name = freshName()
  await ensureSchema(db, { dialect: "postgres", schema: name })
  onTestFinished(async () => {
    await dropSchema(db, name)
    await db.destroy()
  })
  return { db, schema: name }
}

/** The feeds of a node that is told of changes, and never looks by itself. */
const openNode = async (options: Pick<KyselyBackendOptions<unknown>, "db" | "schema" | "listen">) => {
  const scope = Scope.makeUnsafe()
  onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const poll = { min: "1 hour", max: "1 hour", whileListening: "1 hour" } as const
  const { layer } = kyselyBackend({ ...options, dialect: "postgres", poll })
  const quiet = Layer.provide(layer, Logger.layer([]))
  return Context.get(await Effect.runPromise(Layer.buildWithScope(quiet, scope)), FeedStore)
}

const append = (feeds: FeedStore["Service"]) => Effect.runPromise(feeds.append(storeId, [makeRecord()]))

const processOf = (client: Client | undefined) =>
  (client as { readonly processID?: number } | undefined)?.processID ?? 0

/** The connection as the database shows it, once it listens. */
const listening = async (db: Kysely<NotesDatabase>, client: Client | undefined) => {
  const { rows } = await sql`select 1 from pg_stat_activity
    where query ilike 'listen%' and state = 'idle' and pid = ${processOf(client)}`.execute(db)
  return rows
}

/** Waits until a reader that looks when it is woken has seen the head. */
const untilHead = (feeds: FeedStore["Service"], head: number, onLook = () => {}) =>
  Effect.runPromise(
    feeds.wakeups(storeId).pipe(
      Stream.mapEffect(() => feeds.read(storeId, 1, { maxEntries: 1, maxBytes: 1 })),
      Stream.tap(() => Effect.sync(onLook)),
      Stream.takeUntil((page) => page.head >= head),
      Stream.runDrain
    )
  )

describe.skipIf(away !== undefined)("PostgreSQL", () => {
  it("wakes readers of another node when its listening connection is killed and entries are committed meanwhile", async () => {
    const tables = await openTables()
    const clients: Array<Client> = []
    const listen = () => {
      const client = new Client(postgresUrl)
      clients.push(client)
      return client
    }
    const writer = await openNode({ ...tables, listen: () => new Client(postgresUrl) })
    const reader = await openNode({ ...tables, listen })
    await append(writer)
    await untilHead(reader, 1)

    for (const head of [2, 3, 4]) {
      const look = Promise.withResolvers<void>()
      const woken = untilHead(reader, head, look.resolve)
      await look.promise
      // One that is killed before it listens would be told of the commit by the same connection's beginning.
      await expect.poll(async () => (await listening(tables.db, clients.at(-1))).length).toBe(1)
      const connections = clients.length
      const processID = processOf(clients.at(-1))
      await sql`select pg_terminate_backend(${processID})`.execute(tables.db)
      // Until it is gone it may still tell of a commit.
      const isThere = () => sql`select 1 from pg_stat_activity where pid = ${processID}`.execute(tables.db)
      await expect.poll(async () => (await isThere()).rows.length).toBe(0)
      await append(writer)
      await woken
      await expect.poll(() => clients.length).toBeGreaterThan(connections)
    }
  })

  it("listens on one connection, however many stores there are", async () => {
    const tables = await openTables()
    let connections = 0
    const listen = () => {
      connections++
      return new Client(postgresUrl)
    }
    const node = await openNode({ ...tables, listen })
    const pulls = Array.from({ length: 500 }, (_, index) =>
      Stream.runHead(node.wakeups(EventLogMessage.StoreId.make(`store ${index}`)))
    )
    await Effect.runPromise(Effect.all(pulls, { concurrency: "unbounded" }))
    expect(connections).toBeLessThanOrEqual(1)
  })

  it("runs a handler's transaction once when the answer to its commit is lost", async () => {
    const tables = await openTables()
    const proxy = await TcpProxy.open(targetOf(postgresUrl))
    onTestFinished(proxy.close)
    const pool = new Pool({ connectionString: proxy.through(postgresUrl), options: `-c search_path=${tables.schema}` })
    pool.on("error", () => {})
    pool.on("connect", (client) => client.on("error", () => {}))
    const db = new Kysely<NotesDatabase>({ dialect: new PostgresDialect({ pool }) })
    await db.schema.createTable("notes").addColumn("place", "integer").addColumn("text", "text").execute()
    let runs = 0
    const server = createEventLogServer({
      schema: addedSchema,
      handlers: {
        TodoAdded: async ({ payload, transaction }) => {
          runs++
          await transaction.insertInto("notes").values({ place: runs, text: payload.text }).execute()
          if (payload.text === "two" && runs === 2) proxy.loseAnswerTo("commit")
        }
      },
      backend: kyselyBackend({ db, dialect: "postgres", schema: tables.schema, transactionalHandlers: true }),
      auth: allowAll,
      logger: silent
    })
    onTestFinished(async () => {
      await server.close()
      await db.destroy()
    })
    for (const [index, text] of ["one", "two", "three"].entries()) {
      await server.write({ storeId, event: "TodoAdded", payload: { id: "k", text } })
      await server.processed({ storeId, sequence: index + 1 })
    }
    const notes = await db.selectFrom("notes").select("text").orderBy("place").execute()
    expect(notes.map(({ text }) => text)).toEqual(["one", "two", "three"])
    expect(runs).toBeGreaterThan(3)
  })
})
