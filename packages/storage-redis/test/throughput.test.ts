import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { addedSchema, silent } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { redisBackend } from "../src/index.ts"

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

const millis = isLong ? 3_000 : 100

/** Repeats something for a while, in several places at once; answers how often a second. */
const rate = async (places: number, call: (place: number) => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now()
  let count = 0
  const repeat = async (_: unknown, place: number) => {
    while (performance.now() - startedAt < millis) {
      await call(place)
      count++
    }
  }
  await Promise.all(Array.from({ length: places }, repeat))
  return (count / (performance.now() - startedAt)) * 1_000
}

const payloadOf = (key: number) => ({ id: `key ${key}`, text: "x".repeat(24) })

/** Nobody's speed is judged here: `vitest run --mode long` prints the figures. */
describeUnless(redisMissing())("writers on Redis", () => {
  let redisServer: RedisServer
  let redis: Redis

  beforeAll(async () => {
    redisServer = await RedisServer.start()
    redis = new Redis(redisServer.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await redisServer.stop()
  })

  /** What a second takes of bare XADDs, as many under way as there are writers. ioredis pipelines them. */
  const rawRate = (writers: number): Promise<number> => {
    const bytes = Buffer.alloc(80, 1)
    const streams = crypto.randomUUID()
    return rate(writers, (place) => redis.xadd(`raw:${streams}:${place % 64}`, "*", "e", bytes))
  }

  it.each([1, 64].flatMap((stores) => [1, 16, 64, 256].map((writers) => ({ stores, writers }))))(
    "are committed together: $writers on $stores stores",
    async ({ stores, writers }) => {
      const prefix = crypto.randomUUID()
      const backend = redisBackend({ redis, prefix })
      const server = createEventLogServer({
        schema: addedSchema,
        handlers: { TodoAdded: () => {} },
        backend,
        auth: allowAll,
        logger: silent
      })
      onTestFinished(() => server.close())
      const written = Array.from({ length: stores }, () => 0)
      const entries = await rate(writers, async (place) => {
        const store = place % stores
        const payload = payloadOf(written[store]!++)
        await server.write({ storeId: `store ${store}`, event: "TodoAdded", payload, runHandlers: false })
      })
      for (const [store, count] of written.entries()) {
        const sequences: Array<number> = []
        for await (const { remoteSequence } of server.read({ storeId: `store ${store}`, from: 1 })) {
          sequences.push(remoteSequence)
        }
        expect(sequences).toEqual(Array.from({ length: count }, (_, index) => index + 1))
      }

      const raw = await rawRate(writers)
      if (!isLong) return
      process.stdout.write(
        `${writers} writers on ${stores} stores: ${Math.round(entries)} entries/s; ` +
          `raw XADD: ${Math.round(raw)} entries/s (${Math.round((entries / raw) * 100)} %)\n`
      )
    }
  )
})
