import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { type Backend, FeedStore } from "@eventlog-server/core/backend"
import { addedSchema, silent } from "@eventlog-server/testkit/schema"
import { Effect, Layer } from "effect"
import { sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import type { NotesDatabase } from "./notes.ts"

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

const millis = isLong ? 3_000 : 100

/** The same backend, counting the calls of `append`. */
const counted = (backend: Backend) => {
  const calls = { appends: 0 }
  const layer = Layer.effect(
    FeedStore,
    Effect.map(FeedStore, (feeds) => ({
      ...feeds,
      append: (...args: Parameters<typeof feeds.append>) => {
        calls.appends++
        return feeds.append(...args)
      }
    }))
  ).pipe(Layer.provideMerge(backend.layer))
  return { calls, backend: { layer } }
}

/** Repeats something for a while, in several places at once; answers how often a second. */
const rate = async (places: number, call: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now()
  let count = 0
  const repeat = async () => {
    while (performance.now() - startedAt < millis) {
      await call()
      count++
    }
  }
  await Promise.all(Array.from({ length: places }, repeat))
  return (count / (performance.now() - startedAt)) * 1_000
}

const randomBytes = (length: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(length)))

/** Inserts rows into the table of entries, many in a statement, as somebody would who needs nothing else of it. */
const makeRawInsert = ({ db, options }: TestDatabase<NotesDatabase>, size: number) => {
  const table = options.schema === undefined ? sql.id("eventlog_entries") : sql.id(options.schema, "eventlog_entries")
  let sequence = 0
  return () => {
    const rows = Array.from({ length: size }, () => {
      const values = [
        -1,
        ++sequence,
        randomBytes(16),
        randomBytes(16),
        "TodoAdded",
        "key",
        null,
        0,
        40,
        randomBytes(32)
      ]
      return sql`(${sql.join(values)})`
    })
    return sql`insert into ${table}
      (store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload)
      values ${sql.join(rows)}`.execute(db)
  }
}

/** Nobody's speed is judged here: `vitest run --mode long` prints the figures. */
describe.each(databases)("writers of one store on $name", ({ away, name, open }) => {
  it.skipIf(away !== undefined).each([1, 16, 64, 256])("%i at once are committed together", async (writers) => {
    const database = await open<NotesDatabase>()
    const { backend, calls } = counted(kyselyBackend({ db: database.db, ...database.options }))
    const server = createEventLogServer({
      schema: addedSchema,
      handlers: { TodoAdded: () => {} },
      backend,
      auth: allowAll,
      logger: silent
    })
    onTestFinished(() => server.close())
    let written = 0
    const entries = await rate(writers, async () => {
      const payload = { id: `key ${written++}`, text: "x".repeat(24) }
      await server.write({ storeId: "store", event: "TodoAdded", payload, runHandlers: false })
    })
    const sequences: Array<number> = []
    for await (const { remoteSequence } of server.read({ storeId: "store", from: 1 })) sequences.push(remoteSequence)
    expect(sequences).toEqual(Array.from({ length: written }, (_, index) => index + 1))

    const perAppend = Math.max(1, Math.round(written / calls.appends))
    const raw = (await rate(1, makeRawInsert(database, perAppend))) * perAppend
    if (!isLong) return
    const share = Math.round((entries / raw) * 100)
    process.stdout.write(
      `${name}: ${writers} writers, ${perAppend} entries a transaction, ${Math.round(entries)} entries/s; ` +
        `raw inserts of ${perAppend} rows: ${Math.round(raw)} rows/s (${share} %)\n`
    )
  })
})
