import { layerAppLogger } from "@eventlog-server/core/effect"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Layer } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { warnOfSettings } from "../src/durability.ts"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"

describeUnless(redisMissing())("a node that starts on Redis", () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  let warnings: Array<string>
  const logger = layerAppLogger({
    ...{ debug: () => {}, info: () => {}, error: () => {} },
    warn: (_, message) => void warnings.push(message)
  })

  const warningsOn = async (settings: Record<string, string>, url = server.url): Promise<ReadonlyArray<string>> => {
    await server.ask((redis) => redis.config("SET", ...Object.entries(settings).flat()))
    warnings = []
    const redis = new Redis(url)
    await Effect.runPromise(Effect.provide(warnOfSettings(redis), logger))
    redis.disconnect()
    return warnings
  }
  const durable = { appendonly: "yes", appendfsync: "always", "maxmemory-policy": "noeviction" }

  it.each([
    ["nothing, where every commit is on disk", {}, []],
    ["of a log that is synced later", { appendfsync: "everysec" }, ["appendfsync"]],
    ["of no log at all", { appendonly: "no" }, ["appendonly"]],
    ["of evicted feeds", { "maxmemory-policy": "allkeys-lru" }, ["maxmemory-policy"]],
    ["of both", { appendonly: "no", "maxmemory-policy": "allkeys-lru" }, ["appendonly", "maxmemory-policy"]]
  ])("warns %s", async (_, settings, warned) => {
    const warnings = await warningsOn({ ...durable, ...settings })
    expect(warnings).toEqual(warned.map((name) => expect.stringContaining(`(${name})`)))
  })

  it("warns when it isn't told", async () => {
    await server.ask((redis) => redis.acl("SETUSER", "app", "on", ">password", "~*", "&*", "+@all", "-config"))
    const warnings = await warningsOn(durable, server.url.replace("//", "//app:password@"))
    expect(warnings).toEqual([expect.stringContaining("doesn't tell")])
  })

  it("looks by itself", async () => {
    await warningsOn({ ...durable, appendonly: "no" })
    warnings = []
    const node = await openNode(Layer.provide(redisBackend({ redis: () => new Redis(server.url) }).layer, logger))
    await expect.poll(() => warnings, { timeout: 15_000 }).toHaveLength(1)
    await node.close()
  })
})
