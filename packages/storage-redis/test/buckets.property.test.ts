import { memoryBackend } from "@eventlog-server/core"
import {
  type BucketRange,
  type BucketSelection,
  type FeedRecord,
  type FeedStore,
  StoreId,
  type SurvivorsRequest
} from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Stream } from "effect"
import { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"

const runs = process.env.EVENTLOG_TEST_LONG ? 1_000 : 60

/** Ids of few moments, so that they come in any order and are close to each other; equal ones are the same entry. */
const moment = fc.nat({ max: 400 })

const idAt = (moment: number): EventJournal.EntryId => {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(12, moment)
  id[0] = moment % 3 === 0 ? 200 : 1
  return id as EventJournal.EntryId
}

const names = { event: fc.constantFrom("Set", "Cleared"), primaryKey: fc.constantFrom("a", "a", "a", "b") }

const record: fc.Arbitrary<FeedRecord> = fc
  .record({ ...names, moment, payload: fc.uint8Array({ maxLength: 40 }), transportOnly: fc.boolean() })
  .map(({ moment, ...fields }) => makeRecord({ id: idAt(moment), ...fields }))

const range: fc.Arbitrary<BucketRange> = fc.record({
  events: fc.uniqueArray(names.event, { minLength: 1 }),
  primaryKey: names.primaryKey,
  fromSequence: fc.integer({ min: 1, max: 300 }),
  toSequence: fc.integer({ min: 0, max: 300 }),
  afterId: fc.option(moment.map(idAt), { nil: undefined }),
  replayableOnly: fc.boolean()
})

const selection: fc.Arbitrary<BucketSelection> = fc.record({
  order: fc.constantFrom("sequence", "newest"),
  maxEntries: fc.integer({ min: 1, max: 60 }),
  maxBytes: fc.integer({ min: 1, max: 2_000 })
})

const by = fc.constantFrom("id" as const, "sequence" as const)

/** Some leave an event out. */
const groupings = [[["Set", "Cleared"]], [["Set"], ["Cleared", "Never"]], [["Cleared"], [], ["Set", "Set"]], [["Set"]]]

/** No id is greater. */
const anyId = new Uint8Array(16).fill(0xff)

const request: fc.Arbitrary<SurvivorsRequest> = fc.record({
  groups: fc
    .tuple(by, by, by, fc.constantFrom(...groupings))
    .map(([one, other, third, events]) => events.map((events, index) => ({ events, by: [one, other, third][index]! }))),
  toId: fc.oneof(moment.map(idAt), fc.constant(anyId)),
  toSequence: fc.integer({ min: 0, max: 300 }),
  limits: fc.record({ maxEntries: fc.integer({ min: 1, max: 10 }), maxBytes: fc.integer({ min: 1, max: 500 }) })
})

/** What is asked of an index. */
const question = fc.record({ ranges: fc.array(range, { maxLength: 20, size: "max" }), selection, request })

type Question = typeof question extends fc.Arbitrary<infer A> ? A : never

const findSurvivors = (feeds: FeedStore["Service"], storeId: StoreId, request: SurvivorsRequest) =>
  Effect.flatMap(feeds.survivors(storeId, request), ({ pages, toSequence }) =>
    Effect.map(Stream.runCollect(pages), (pages) => ({ toSequence, pages }))
  )

const ask = ({ feeds }: Node, storeId: StoreId, { ranges, request, selection }: Question): Promise<unknown> =>
  Effect.runPromise(
    Effect.all([
      feeds.bucket(storeId, ranges, selection),
      feeds.bucketBounds(storeId, ranges),
      findSurvivors(feeds, storeId, request)
    ])
  )

describeUnless(redisMissing())("buckets on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let node: Node
  let memory: Node

  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    node = await openNode(redisBackend({ redis }).layer)
    memory = await openNode(memoryBackend().layer)
  })
  afterAll(async () => {
    await node.close()
    await memory.close()
    redis.disconnect()
    await server.stop()
  })

  it("are those of the reference, however long they are and in whichever order their ids come", async () => {
    const history = fc.array(fc.array(record, { maxLength: 120, size: "max" }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(history, question, async (batches, question) => {
        const storeId = StoreId.make(crypto.randomUUID())
        for (const batch of batches) {
          const answers = [node, memory].map(({ feeds }) => Effect.runPromise(feeds.append(storeId, batch)))
          expect(await answers[0]).toEqual(await answers[1])
        }
        expect(await ask(node, storeId, question)).toEqual(await ask(memory, storeId, question))
      }),
      { numRuns: runs }
    )
  })

  it("of an event are all found, however many there are", async () => {
    const storeId = StoreId.make("many keys")
    const records = Array.from(
      { length: 2_000 },
      (_, index): FeedRecord => ({
        entry: new EventJournal.Entry(
          {
            ...{ id: EventJournal.makeEntryIdUnsafe(), payload: new Uint8Array(4) },
            ...{ event: index % 7 === 0 ? "Cleared" : "Set", primaryKey: `key ${index % 1_100}` }
          },
          { disableChecks: true }
        ),
        author: null,
        transportOnly: false
      })
    )
    for (let from = 0; from < records.length; from += 700) {
      const part = records.slice(from, from + 700)
      for (const { feeds } of [node, memory]) await Effect.runPromise(feeds.append(storeId, part))
    }
    const limits = { maxEntries: 300, maxBytes: 5_000 }
    for (const events of [[["Set"], ["Cleared"]], [["Set", "Cleared"]]]) {
      const groups = events.map((events) => ({ events, by: "id" as const }))
      for (const [toSequence, old] of [
        [2_000, 2_000],
        [1_500, 2_000],
        [2_000, 1_500],
        [600, 700],
        [3, 1]
      ] as const) {
        const request = { groups, toSequence, toId: records[old - 1]!.entry.id, limits }
        const [found, expected] = [node, memory].map(({ feeds }) =>
          Effect.runPromise(findSurvivors(feeds, storeId, request))
        )
        expect(await found).toEqual(await expected)
        expect((await found)!.toSequence).toBe(Math.min(toSequence, old))
      }
    }
  })
})
