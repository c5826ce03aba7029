import { memoryBackend } from "@eventlog-server/core"
import { entryBytes, type FeedEntry, type FeedRecord, FeedStore, StoreId } from "@eventlog-server/core/backend"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect, Layer, ManagedRuntime } from "effect"
import type { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import { type Kysely, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import type { Dialect } from "../src/dialects/Dialect.ts"
import { dialects } from "../src/dialects/dialects.ts"
import { toFeedEntries } from "../src/feed/entries.ts"
import { kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"

const numRuns = process.env.EVENTLOG_TEST_LONG ? 1_000 : 100

/** Any text that a feed may hold, and what JSON and PostgreSQL's own notations have to escape. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replaceAll("\0", "")),
  fc.string({
    unit: fc.constantFrom('"', "\\", "\n", "\u001f", "\u2028", "{", ",", "💚", "]", "'", "null"),
    maxLength: 9
  })
)

const bytes = (length: fc.SizeForArbitrary | undefined, maxLength: number) => fc.uint8Array({ maxLength, size: length })

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }) as fc.Arbitrary<EventJournal.EntryId>

const record: fc.Arbitrary<FeedRecord> = fc
  .record({
    id,
    event: text,
    primaryKey: text,
    author: fc.option(text),
    transportOnly: fc.boolean(),
    payload: fc.oneof(fc.constant(new Uint8Array()), bytes("small", 40), bytes("max", 5_000))
  })
  .map(makeRecord)

const records = fc.uniqueArray(record, { maxLength: 40, selector: ({ entry }) => entry.idString })

/** All that there is of an entry, comparable. */
const contentOf = ({ author, entry, remoteSequence, transportOnly }: FeedEntry) => ({
  remoteSequence,
  author,
  transportOnly,
  event: entry.event,
  primaryKey: entry.primaryKey,
  id: entry.idString,
  payload: Buffer.from(entry.payload).toString("hex")
})

/** A select of entries that are in no table, in the order that is given. */
const selectOf = (entries: ReadonlyArray<FeedEntry>) => {
  const selects = entries.map(
    ({ author, entry, remoteSequence, transportOnly }) => sql`
      select ${remoteSequence}::bigint as sequence, ${Buffer.from(entry.id)}::bytea as entry_id,
        ${entry.event}::text as event, ${entry.primaryKey}::text as primary_key, ${author}::text as author,
        ${transportOnly ? 1 : 0}::smallint as transport_only, ${Buffer.from(entry.payload)}::bytea as payload`
  )
  const none = sql`select null::bigint as sequence, ''::bytea as entry_id, '' as event, '' as primary_key, '' as author,
    0::smallint as transport_only, ''::bytea as payload where false`
  return sql.join([...selects, none], sql` union all `)
}

const packing = databases.flatMap(({ name, ...database }) => {
  const { pack }: Dialect = dialects[name]
  return pack === undefined ? [] : [{ ...database, name, pack }]
})

const openFeeds = (layer: Layer.Layer<FeedStore>) => {
  const runtime = ManagedRuntime.make(Layer.fresh(layer))
  onTestFinished(() => runtime.dispose())
  return <A, E>(use: (feeds: FeedStore["Service"]) => Effect.Effect<A, E>) => runtime.runPromise(FeedStore.use(use))
}

/** Feeds, where pages of them begin, and limits that so many entries of the first one fit exactly, or not quite. */
const reading = fc
  .record({
    feeds: fc.array(records, { minLength: 1, maxLength: 3 }),
    from: fc.nat(30),
    fitting: fc.integer({ min: 1, max: 45 }),
    missing: fc.nat(1),
    maxEntries: fc.integer({ min: 1, max: 45 })
  })
  .map(({ feeds, fitting, from, maxEntries, missing }) => {
    const bytes = feeds[0]!.slice(from, from + fitting).reduce((sum, { entry }) => sum + entryBytes(entry), 0)
    return { feeds, from: from + 1, limits: { maxEntries, maxBytes: Math.max(1, bytes - missing) } }
  })

describe.each(packing)("entries that $name packs", ({ away, open, pack }) => {
  it.skipIf(away !== undefined)("are unpacked as they were, in the order of their sequences", async () => {
    const { db }: { readonly db: Kysely<unknown> } = await open(1)
    const placed = records.chain((records) =>
      fc
        .uniqueArray(fc.maxSafeNat(), { minLength: records.length, maxLength: records.length })
        .map((places) => records.map((record, index) => ({ ...record, remoteSequence: places[index]! })))
    )
    await fc.assert(
      fc.asyncProperty(placed, async (entries) => {
        const { rows } = await pack(selectOf(entries)).execute(db)
        expect(rows).toHaveLength(1)
        const sorted = entries.toSorted((a, b) => a.remoteSequence - b.remoteSequence)
        expect(toFeedEntries(rows).map(contentOf)).toEqual(sorted.map(contentOf))
      }),
      { numRuns }
    )
  })

  it.skipIf(away !== undefined)("make the pages that memory has, of one store or of several at once", async () => {
    const { db, options } = await open<unknown>(1)
    const onDatabase = openFeeds(kyselyBackend({ db, ...options }).layer)
    const inMemory = openFeeds(memoryBackend().layer)
    let stores = 0
    await fc.assert(
      fc.asyncProperty(reading, async ({ feeds, from, limits }) => {
        const storeIds = feeds.map(() => StoreId.make(`store ${stores++}`))
        const pages = (store: FeedStore["Service"]) =>
          Effect.gen(function* () {
            for (const [index, records] of feeds.entries()) yield* store.append(storeIds[index]!, records)
            const read = (storeId: StoreId) => store.read(storeId, from, limits)
            const found = yield* Effect.forEach(storeIds, read, { concurrency: "unbounded" })
            return found.map(({ entries, head }) => ({ head, entries: entries.map(contentOf) }))
          })
        expect(await onDatabase(pages)).toEqual(await inMemory(pages))
      }),
      { numRuns }
    )
  })
})
