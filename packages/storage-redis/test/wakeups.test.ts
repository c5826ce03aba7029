import { StoreId, type Wakeup } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Fiber, Stream } from "effect"
import { Redis } from "ioredis"
import { expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"

describeUnless(redisMissing())("a node on Redis", () => {
  it("is woken once for each commit, its own too, and told the head", async () => {
    const server = await RedisServer.start("--appendfsync", "no")
    const clients = [new Redis(server.url), new Redis(server.url)]
    const nodes = await Promise.all(clients.map((redis) => openNode(redisBackend({ redis }).layer)))
    const storeId = StoreId.make("store")
    const heard: Array<Wakeup> = []
    const listener = Effect.runFork(
      Stream.runForEach(nodes[0]!.feeds.wakeups(storeId), (wakeup) => Effect.sync(() => heard.push(wakeup)))
    )
    await expect.poll(() => heard[0]).toEqual({})
    const append = async (head: number) => {
      // The message of each commit is published before that of the next.
      await Effect.runPromise(nodes[head % 2]!.feeds.append(storeId, makeRecords(1)))
      await expect.poll(() => heard.at(-1), { interval: 5 }).toEqual({ head })
    }
    // Who hears of the other node listens. It is woken once more when it begins to, which may have been late.
    await append(1)
    heard.length = 0
    const heads = Array.from({ length: 40 }, (_, index) => index + 2)
    for (const head of heads) await append(head)
    expect(heard).toEqual(heads.map((head) => ({ head })))

    await Effect.runPromise(Fiber.interrupt(listener))
    await Promise.all(nodes.map((node) => node.close()))
    for (const redis of clients) redis.disconnect()
    await server.stop()
  })
})
