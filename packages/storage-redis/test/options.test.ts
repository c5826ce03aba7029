import { StoreId } from "@eventlog-server/core"
import { Effect, Option, Stream } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"
import { makeRecords, wholePage } from "./records.ts"
import { RedisServer, redisMissing } from "./servers/RedisServer.ts"

describe.skipIf(redisMissing !== undefined)("a client of the app's", () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  const clients: ReadonlyArray<[string, object]> = [
    ["prefixes its keys", { keyPrefix: "app:" }],
    ["has another database", { db: 3 }],
    ["answers numbers as text", { stringNumbers: true }],
    ["answers in the shapes of RESP3", { replyMapping: "resp3" }],
    ["speaks RESP2", { protocol: 2 }],
    ["pipelines by itself", { enableAutoPipelining: true }],
    ["connects when it is first used", { lazyConnect: true }]
  ]

  it.each(clients)("may be one that %s", async (_, options) => {
    const redis = new Redis({ host: "127.0.0.1", port: server.port, ...options })
    const { admin, close, feeds, progress, registry } = await openNode(redisBackend({ redis }).layer)
    const storeId = StoreId.make(crypto.randomUUID())
    const records = makeRecords(20)
    await Effect.runPromise(
      Effect.gen(function* () {
        const next = yield* Stream.toPull(feeds.wakeups(storeId))
        yield* next
        expect((yield* feeds.append(storeId, records)).at(-1)).toEqual({ sequence: 20, isNew: true })
        yield* next
        expect((yield* feeds.append(storeId, records)).at(-1)).toEqual({ sequence: 20, isNew: false })
        expect((yield* feeds.read(storeId, 11, wholePage)).entries).toHaveLength(10)
        const range = { events: ["Set"], primaryKey: "a", fromSequence: 2, toSequence: 18 }
        expect(yield* feeds.bucketBounds(storeId, [range])).toEqual([{ first: 2, last: 18 }])
        expect((yield* feeds.id).byteLength).toBe(16)

        const lease = yield* progress.lease(storeId)
        yield* Option.isSome(lease) ? lease.value.advance(7) : Effect.die("not taken")
        expect(yield* progress.cursors([storeId])).toEqual([7])
        expect(yield* admin.heads(undefined, 100)).toContainEqual({ storeId, head: 20 })
        yield* registry.assign({ publicKey: "key", storeId })
        expect(yield* registry.resolve("key")).toBe(storeId)
        yield* registry.remove("key")
        yield* admin.erase(storeId)
      }).pipe(Effect.scoped)
    )
    await close()
    await redis.flushdb()
    redis.disconnect()
  })

  it("needs a prefix without braces", () => {
    expect(() => redisBackend({ redis: () => new Redis(), prefix: "{app}:" })).toThrow("braces")
  })
})
