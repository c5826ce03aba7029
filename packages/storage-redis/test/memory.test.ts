import { type FeedRecord, StoreId } from "@eventlog-server/core"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"
import { RedisServer, redisMissing } from "./servers/RedisServer.ts"

const count = 20_000
const author = crypto.randomUUID()

/** Entries of 197 bytes: id, event name, primary key, author and payload. */
const makeRecords = (entriesPerKey: number): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, (_, index) => ({
    entry: new EventJournal.Entry(
      {
        id: EventJournal.makeEntryIdUnsafe(),
        event: "TodoAdded",
        primaryKey: String(Math.floor(index / entriesPerKey)).padStart(36, "0"),
        payload: new Uint8Array(100)
      },
      { disableChecks: true }
    ),
    author,
    transportOnly: false
  }))

describe.skipIf(redisMissing !== undefined)("the memory of an entry on Redis", () => {
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
    [1, 402],
    [5, 354],
    [count, 341]
  ])("is what the documentation says, with %i of one event and primary key", async (entriesPerKey, documented) => {
    const storeId = StoreId.make(crypto.randomUUID())
    const records = makeRecords(entriesPerKey)
    await Effect.runPromise(node.feeds.append(storeId, records.slice(0, 1)))
    const before = await usedMemory()
    for (let from = 0; from < count; from += 1_000) {
      await Effect.runPromise(node.feeds.append(storeId, records.slice(from, from + 1_000)))
    }
    expect(((await usedMemory()) - before) / count).toBeLessThan(documented * 1.1)
  })
})
