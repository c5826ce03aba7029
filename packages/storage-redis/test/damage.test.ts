import { StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"
import { wholePage } from "./records.ts"

const fails = <A, E>(effect: Effect.Effect<A, E>): Promise<E> => Effect.runPromise(Effect.flip(effect))

describeUnless(redisMissing())("a store on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let node: Node

  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })

  /** A store with 40 entries, and a node that never saw it. */
  const openStore = async (): Promise<StoreId> => {
    const storeId = StoreId.make(crypto.randomUUID())
    const writer = await openNode(redisBackend({ redis }).layer)
    await Effect.runPromise(writer.feeds.append(storeId, makeRecords(40)))
    await writer.close()
    node = await openNode(redisBackend({ redis }).layer)
    return storeId
  }

  it.each([
    ["whose feed was trimmed", (base: string) => redis.xtrim(`${base}:feed`, "MAXLEN", 10), ["read", "append"]],
    ["whose feed was evicted", (base: string) => redis.del(`${base}:feed`), ["read", "append"]],
    ["whose state was evicted", (base: string) => redis.del(`${base}:state`), ["read", "append"]],
    ["whose ids were evicted", (base: string) => redis.del(`${base}:ids`), ["append"]],
    ["whose buckets were evicted", (base: string) => redis.del(`${base}:buckets`), ["append"]],
    ["whose events were evicted", (base: string) => redis.del(`${base}:events`), ["append"]],
    ["that somebody else wrote to", (base: string) => redis.xadd(`${base}:feed`, "*", "e", "x"), ["read", "append"]]
  ])("%s says so, and takes nothing more", async (_, damage, refused) => {
    const storeId = await openStore()
    await damage(`eventlog:{store:${storeId}}`)
    const calls = {
      read: () => fails(node.feeds.read(storeId, 1, wholePage)),
      append: () => fails(node.feeds.append(storeId, makeRecords(1)))
    }
    for (const name of refused) {
      const error = await calls[name as keyof typeof calls]()
      expect(error).toMatchObject({ retryable: false, message: expect.stringContaining("DAMAGED") })
    }
    await node.close()
  })

  it("refuses an append that is bigger than a script should be, and takes the next one", async () => {
    const storeId = await openStore()
    const error = await fails(node.feeds.append(storeId, makeRecords(1, { payload: 129 * 1024 * 1024 })))
    expect(error).toMatchObject({ retryable: false })
    expect(await Effect.runPromise(node.feeds.append(storeId, makeRecords(1)))).toEqual([{ sequence: 41, isNew: true }])
    await node.close()
  })
})
