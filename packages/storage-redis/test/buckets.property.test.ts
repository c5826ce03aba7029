import { type BucketRange, type BucketSelection, type FeedRecord, memoryBackend, StoreId } from "@eventlog-server/core"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"
import { RedisServer, redisMissing } from "./servers/RedisServer.ts"

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
  .map(({ event, moment, payload, primaryKey, transportOnly }) => ({
    entry: new EventJournal.Entry({ id: idAt(moment), event, primaryKey, payload }, { disableChecks: true }),
    author: null,
    transportOnly
  }))

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

const ask = (
  { feeds }: Node,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  selection: BucketSelection
): Promise<unknown> =>
  Effect.runPromise(Effect.all([feeds.bucket(storeId, ranges, selection), feeds.bucketBounds(storeId, ranges)]))

describe.skipIf(redisMissing !== undefined)("buckets on Redis", () => {
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
      fc.asyncProperty(
        history,
        fc.array(range, { maxLength: 20, size: "max" }),
        selection,
        async (batches, ranges, selection) => {
          const storeId = StoreId.make(crypto.randomUUID())
          for (const batch of batches) {
            const answers = [node, memory].map(({ feeds }) => Effect.runPromise(feeds.append(storeId, batch)))
            expect(await answers[0]).toEqual(await answers[1])
          }
          expect(await ask(node, storeId, ranges, selection)).toEqual(await ask(memory, storeId, ranges, selection))
        }
      ),
      { numRuns: runs }
    )
  })
})
