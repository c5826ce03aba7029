import { type FeedRecord, StoreId, type SurvivingEvents } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Stream } from "effect"
import { EventJournal } from "effect/eventlog"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"

const primaryKeys = 100

/** No id is greater. */
const anyId = new Uint8Array(16).fill(0xff)

/** Entries of one moment, whose ids come in any order, or of a second each, in order. */
const makeRecords = (count: number, inOrder: boolean): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, (_, index) => {
    const id = crypto.getRandomValues(new Uint8Array(16)) as EventJournal.EntryId
    if (inOrder) new DataView(id.buffer).setUint32(0, index)
    return {
      entry: new EventJournal.Entry(
        { id, event: "Set", primaryKey: `key ${index % primaryKeys}`, payload: new Uint8Array(4) },
        { disableChecks: true }
      ),
      author: null,
      transportOnly: false
    }
  })

interface Beginning {
  readonly by: SurvivingEvents["by"]
  /** Which part of the feed it is. */
  readonly share: number
  /** Whether it ends by the age of what follows, or just by a sequence. */
  readonly endsByAge: boolean
}

describeUnless(redisMissing())("the survivors of a compaction on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let node: Node

  beforeAll(async () => {
    server = await RedisServer.start("--appendfsync", "no")
    redis = new Redis(server.url)
    node = await openNode(redisBackend({ redis }).layer)
  })
  afterAll(async () => {
    await node.close()
    redis.disconnect()
    await server.stop()
  })

  /** Chunks and entries that are read to find the survivors of a history. */
  const looksAt = async (entriesPerKey: number, { by, endsByAge, share }: Beginning): Promise<number> => {
    const storeId = StoreId.make(crypto.randomUUID())
    const records = makeRecords(primaryKeys * entriesPerKey, endsByAge)
    for (let from = 0; from < records.length; from += 1_000) {
      await Effect.runPromise(node.feeds.append(storeId, records.slice(from, from + 1_000)))
    }
    await redis.config("RESETSTAT")
    const groups = [{ events: ["Set"], by }]
    const limits = { maxEntries: 1_000, maxBytes: 1_000_000 }
    const end = records.length * share
    const ends = endsByAge
      ? { toSequence: records.length, toId: records[end - 1]!.entry.id }
      : { toSequence: end, toId: anyId }
    const { pages, toSequence } = await Effect.runPromise(node.feeds.survivors(storeId, { groups, limits, ...ends }))
    expect(toSequence).toBe(end)
    expect((await Effect.runPromise(Stream.runCollect(pages))).flat()).toHaveLength(primaryKeys)
    const stats = await redis.info("commandstats")
    return [...stats.matchAll(/^cmdstat_(?:hget|xrange):calls=(\d+)/gm)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0
    )
  }

  it.each([
    ["id", false],
    ["sequence", false],
    ["id", true],
    ["sequence", true]
  ] as const)("by %s are found without a look at the rest of the history; by age: %s", async (by, endsByAge) => {
    for (const share of [1, 0.5]) {
      const few = await looksAt(16, { by, endsByAge, share })
      const many = await looksAt(640, { by, endsByAge, share })
      expect(few).toBeGreaterThanOrEqual(2 * primaryKeys)
      // 40 chunks of each instead of one: a look at all would be 40 times as many.
      expect(many).toBeLessThan(9 * few)
    }
  })

  it("are looked for at once where nothing is younger", async () => {
    const old = await looksAt(16, { by: "sequence", endsByAge: true, share: 1 })
    const withYounger = await looksAt(16, { by: "sequence", endsByAge: true, share: 0.5 })
    // The last chunk of each bucket, and its entry; the chunk once more to find what is younger.
    expect(old).toBeLessThan(2 * primaryKeys + 10)
    expect(withYounger).toBeGreaterThan(3 * primaryKeys)
  })
})
