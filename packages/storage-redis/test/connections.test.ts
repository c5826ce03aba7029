import { StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Scope, Stream } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"

describeUnless(redisMissing())("the connections of a node on Redis", () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  /** Connections to the server, the one that asks left out. */
  const connections = () =>
    server.ask(
      async (redis) =>
        String(await redis.client("LIST", "TYPE", "NORMAL"))
          .trim()
          .split("\n").length - 1
    )
  const subscribers = () =>
    server.ask(
      async (redis) =>
        String(await redis.client("LIST", "TYPE", "PUBSUB"))
          .trim()
          .split("\n")
          .filter(Boolean).length
    )

  it("are the app's client and one that listens, to however many stores; the client stays open and as it was", async () => {
    const redis = new Redis(server.url)
    await redis.ping()
    const own = Object.keys(redis).sort()
    const node = await openNode(redisBackend({ redis }).layer)
    const scope = Scope.makeUnsafe()
    for (let store = 0; store < 200; store++) {
      const wakeups = Stream.toPull(node.feeds.wakeups(StoreId.make(`store ${store}`)))
      await Effect.runPromise(Effect.flatten(Scope.provide(wakeups, scope)))
    }
    await expect.poll(connections, { timeout: 15_000 }).toBe(1)
    expect(await subscribers()).toBe(1)

    await Effect.runPromise(Scope.close(scope, Exit.void))
    await node.close()
    await expect.poll(subscribers, { timeout: 15_000 }).toBe(0)
    expect(await redis.ping()).toBe("PONG")
    expect(Object.keys(redis).sort()).toEqual(own)
    redis.disconnect()
  })

  it("are all closed with the node where it made the client itself", async () => {
    await expect.poll(connections, { timeout: 15_000 }).toBe(0)
    const node = await openNode(redisBackend({ redis: () => new Redis(server.url) }).layer)
    await Effect.runPromise(node.admin.id)
    expect(await connections()).toBeGreaterThan(0)
    await node.close()
    await expect.poll(connections, { timeout: 15_000 }).toBe(0)
    await expect.poll(subscribers, { timeout: 15_000 }).toBe(0)
  })
})
