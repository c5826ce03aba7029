import { type Failure, type FeedRecord, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Option, Stream } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"
import { wholePage } from "./records.ts"

const failureOf = ({ author, entry: { event, id, primaryKey } }: FeedRecord): Failure => ({
  ...{ sequence: 7, entryId: id, event, primaryKey, author },
  ...{ reason: "HandlerFailed", message: "It is \u{1f4a5} \ud800" }
})

describeUnless(redisMissing())("a client of the app's", () => {
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
    const records = makeRecords(20, { event: "Set", primaryKey: "a" })
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
        const { id } = yield* admin.rotateId(yield* admin.id)
        expect(yield* admin.id).toEqual(id)
        expect(yield* feeds.head(storeId)).toEqual({ sequence: 20, greatestId: records.at(-1)?.entry.id })
        const groups = [{ events: ["Set"], by: "id" }] as const
        const request = { groups, toSequence: 20, toId: records[17]!.entry.id, limits: wholePage }
        const [page] = yield* Effect.flatMap(feeds.survivors(storeId, request), ({ pages }) => Stream.runCollect(pages))
        expect(page?.map(({ entry, last }) => [entry.remoteSequence, last])).toEqual([[18, 18]])

        const lease = yield* progress.lease(storeId)
        yield* Option.isSome(lease)
          ? lease.value.advance({ sequence: 7, id: records[6]!.entry.id })
          : Effect.die("not taken")
        expect(yield* progress.cursors([storeId])).toEqual([7])
        expect(yield* admin.heads(undefined, 100)).toContainEqual({ storeId, head: 20, processed: 7 })
        expect(yield* progress.behind(undefined, 100)).toContain(storeId)
        expect(yield* progress.failures.record(storeId, [failureOf(records[6]!)])).toBe(1)
        const [kept] = yield* progress.failures.list({ limit: 1 })
        expect(kept).toMatchObject({ ...failureOf(records[6]!), storeId, attempts: 1 })
        yield* progress.failures.settle(storeId, [7])
        expect(yield* progress.failures.list({ storeId, limit: 1 })).toEqual([])
        yield* registry.assign({ publicKey: "key", storeId })
        expect(yield* registry.resolve("key")).toBe(storeId)
        expect(yield* registry.list({ storeId, limit: 1 })).toMatchObject([{ publicKey: "key" }])
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
