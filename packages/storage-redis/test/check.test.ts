import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { freePort } from "@eventlog-server/testkit/network"
import { schema } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Redis } from "ioredis"
import { expect, it, onTestFinished } from "vitest"
import { redisBackend } from "../src/index.ts"

const makeServer = (port: number, options: object = {}) => {
  const redis = new Redis({ host: "127.0.0.1", port, ...options })
  redis.on("error", () => {})
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: () => {}, TodoToggled: () => {} },
    backend: redisBackend({ redis }),
    auth: allowAll,
    healthTimeout: 500,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  })
  onTestFinished(async () => {
    redis.disconnect()
    await server.close()
  })
  return server
}

const clients: ReadonlyArray<[string, object, RegExp]> = [
  ["that tries on and on", {}, /no answer within 500ms.*See whether the storage is running/s],
  ["that gives up", { maxRetriesPerRequest: 0 }, /max retries per request.*See whether Redis is running/s],
  ["that queues nothing", { enableOfflineQueue: false }, /isn't writeable.*See whether Redis is running/s]
]

it.each(clients)("says that there is no Redis, with a client %s", async (_, options, message) => {
  const server = makeServer(await freePort(), options)
  const ready = server.ready()
  await expect(ready).rejects.toMatchObject({ _tag: "StorageError", retryable: true })
  await expect(ready).rejects.toThrow(message)
  expect(await server.health()).toMatchObject({ status: "unavailable", error: { retryable: true } })
})

describeUnless(redisMissing())("a Redis", () => {
  const start = async (...flags: ReadonlyArray<string>) => {
    const server = await RedisServer.start(...flags)
    onTestFinished(server.stop)
    return server
  }

  it("is looked at again each time", async () => {
    const redis = await start()
    const server = makeServer(redis.port, { enableReadyCheck: true })
    await server.ready()
    await redis.process.crash()
    expect((await server.health()).status).toBe("unavailable")
    await redis.process.start()
    await expect.poll(server.health).toEqual({ status: "ok" })
  })

  it("that takes no writes is named", async () => {
    const redis = await start()
    await redis.ask((client) => client.replicaof("127.0.0.1", 1))
    await expect(makeServer(redis.port).ready()).rejects.toThrow(/READONLY.*takes writes/s)
  })

  it("that asks for a password is named", async () => {
    const redis = await start()
    await redis.ask((client) => client.config("SET", "requirepass", "secret"))
    await expect(makeServer(redis.port).ready()).rejects.toThrow(/NOAUTH.*has the right address and user/s)
  })
})
