import { hash } from "node:crypto"
import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { FeedAdmin, FeedStore, type Wakeup } from "@eventlog-server/core/backend"
import { freshName, postgresUrl } from "@eventlog-server/testkit/databases"
import { Wire } from "@eventlog-server/testkit/devices"
import { addedSchema, makeRecord, silent, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect, Layer, Logger, ManagedRuntime, Scope, Stream } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type CompiledQuery, sql } from "kysely"
import { Client } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

const storeId = EventLogMessage.StoreId.make("a store: with\nspaces")

const never = { min: "1 hour", max: "1 hour", whileListening: "1 hour" } as const

/** The tables in a schema of their own, until the test is over. */
const openTables = async (onQuery?: (query: CompiledQuery) => void) => {
  const db = openPostgres({}, onQuery)
  const schema = freshName()
  onTestFinished(async () => {
    await dropSchema(db, schema)
    await db.destroy()
  })
  await ensureSchema(db, { dialect: "postgres", schema })
  return { db, schema }
}

type TestTables = Awaited<ReturnType<typeof openTables>>

/** The channel on which nodes of the former version told of stores, and named nothing but the store. */
const formerChannel = (schema: string) => `eventlog_${hash("sha256", `${schema}.eventlog_`).slice(0, 32)}`

/** Tells of the store as a node of the former version. */
const tellAsBefore = ({ db, schema }: TestTables) =>
  sql`select pg_notify(${formerChannel(schema)}, ${storeId})`.execute(db)

/** A node that never looks by itself, and a listener of it that hears already. */
const openNode = async (tables: TestTables) => {
  const listen = () => new Client(postgresUrl)
  const { layer } = kyselyBackend({ ...tables, dialect: "postgres", listen, poll: never })
  const runtime = ManagedRuntime.make(Layer.fresh(Layer.provide(layer, Logger.layer([]))))
  onTestFinished(() => runtime.dispose())
  const run = <A, E>(effect: Effect.Effect<A, E, FeedStore | FeedAdmin>) => runtime.runPromise(effect)
  const scope = Scope.makeUnsafe()
  const heard: Array<Wakeup> = []
  const follow = FeedStore.use((feeds) =>
    Stream.runForEach(feeds.wakeups(storeId), (wakeup) => Effect.sync(() => void heard.push(wakeup)))
  )
  runtime.runFork(Scope.provide(follow, scope))
  // At once, and when it has begun to listen.
  await expect.poll(() => heard.length).toBe(2)
  return {
    heard,
    append: () => run(FeedStore.use((feeds) => feeds.append(storeId, [makeRecord()]))),
    erase: () => run(FeedAdmin.use((admin) => admin.erase(storeId)))
  }
}

describe.skipIf(away !== undefined)("wake-ups by notifications of PostgreSQL", () => {
  it("tell another node the head, and the one that wrote nothing that it knows", async () => {
    const tables = await openTables()
    const [writer, reader] = [await openNode(tables), await openNode(tables)]
    const heads = ({ heard }: typeof writer) => heard.flatMap(({ head }) => head ?? [])
    const looks = ({ heard }: typeof writer) => heard.filter(({ head }) => head === undefined).length
    for (const head of [1, 2]) {
      await writer.append()
      await expect.poll(() => heads(reader)).toContain(head)
    }
    // What is told now comes behind what the writer told.
    const before = [looks(writer), looks(reader)]
    await tellAsBefore(tables)
    await expect.poll(() => [looks(writer), looks(reader)]).toEqual(before.map((count) => count + 1))
    expect([heads(writer), heads(reader)]).toEqual([
      [1, 2],
      [1, 2]
    ])
    await writer.erase()
    await expect.poll(() => looks(reader)).toBe(before[1]! + 2)
  })

  it("make a write one statement more at most, and no look", async () => {
    const statements: Array<string> = []
    const told: Array<string> = []
    const tables = await openTables(({ parameters, sql }) => {
      // The look for keys that changed comes now and then, whatever is written.
      if (!sql.includes("access_changes")) statements.push(sql)
      if (sql.includes("pg_notify")) told.push(JSON.stringify(parameters))
    })
    const publicKey = "A"
    let handled = 0
    const server = createEventLogServer({
      schema: addedSchema,
      handlers: { TodoAdded: () => void handled++ },
      backend: kyselyBackend({ ...tables, dialect: "postgres", listen: () => new Client(postgresUrl), poll: never }),
      auth: allowAll,
      logger: silent,
      // Nothing but writes is to be seen.
      sweepInterval: "1 hour",
      reauthorizeInterval: "1 hour",
      linger: "1 minute"
    })
    onTestFinished(() => server.close())
    await server.assign({ publicKey, storeId })
    const wire = new Wire(server, { bufferedBytes: () => 0 })
    await Effect.runPromise(wire.nth("Hello"))
    await Effect.runPromise(wire.prove(publicKey, makeSigningKey()))
    await Effect.runPromise(wire.answer(wire.subscribe(0, publicKey)))
    let written = 0
    const write = async () => {
      const id = wire.write([todoAdded(`${written++}`)], publicKey)
      await Effect.runPromise(wire.answer(id))
      await Effect.runPromise(wire.until(() => (wire.sequences.length === written ? true : undefined)))
      await expect.poll(() => handled).toBe(written)
    }
    const untilTold = (head: number) => expect.poll(() => told.some((note) => note.includes(` ${head} `))).toBe(true)
    // Until the lease is taken, and everybody listens.
    for (let round = 0; round < 5; round++) await write()
    await untilTold(5)

    statements.length = 0
    const writes = 20
    for (let round = 0; round < writes; round++) await write()
    await untilTold(5 + writes)
    const count = (pattern: RegExp) => statements.filter((text) => pattern.test(text)).length
    // What is written within a few milliseconds is told in one note.
    const notes = count(/pg_notify/)
    expect(notes).toBeLessThanOrEqual(writes)
    expect(count(/signing_public_key, removed from/)).toBe(writes)
    expect(count(/insert into/)).toBe(writes)
    await expect.poll(() => count(/set processed/)).toBeGreaterThan(0)
    const cursors = count(/set processed/)
    expect(cursors).toBeLessThanOrEqual(writes)
    // The tail and the holder of the lease look once when they begin to listen, which may be late.
    const looks = count(/select s\.head, s\.erased/)
    expect(looks).toBeLessThanOrEqual(2)
    expect(statements.length).toBe(2 * writes + notes + cursors + looks)
  })
})
