import { type FeedRecord, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"

const count = 20_000
const author = crypto.randomUUID()

/** Entries of 197 bytes: id, event name, primary key, author and payload. */
const recordsOf = (entriesPerKey: number): ReadonlyArray<FeedRecord> =>
  makeRecords(count, (index) => ({
    primaryKey: String(Math.floor(index / entriesPerKey)).padStart(36, "0"),
    payload: 100,
    author
  }))

describeUnless(redisMissing())("the memory of an entry on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let node: Node

  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    node = await openNode(redisBackend({ redis }).layer)
  })
  afterAll(async () => {
    await node.close()
    redis.disconnect()
    await server.stop()
  })

  const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1])

  // What docs/storage-redis.md says, and a tenth more: tables grow by leaps.
  it.each([
    [1, 438],
    [5, 369],
    [count, 358]
  ])("is what the documentation says, with %i of one event and primary key", async (entriesPerKey, documented) => {
    const storeId = StoreId.make(crypto.randomUUID())
    const records = recordsOf(entriesPerKey)
    await Effect.runPromise(node.feeds.append(storeId, records.slice(0, 1)))
    const before = await usedMemory()
    for (let from = 0; from < count; from += 1_000) {
      await Effect.runPromise(node.feeds.append(storeId, records.slice(from, from + 1_000)))
    }
    expect(((await usedMemory()) - before) / count).toBeLessThan(documented * 1.1)
  })
})
