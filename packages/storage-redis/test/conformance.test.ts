import { BackendAwayError, type BackendHarness, backendSuite, selectBackends } from "@eventlog-server/core/conformance"
import { RedisCluster, RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { Redis } from "ioredis"
import { redisBackend } from "../src/index.ts"
import { loseTail } from "./servers/loseTail.ts"

/** Short: a lease whose taking was not answered holds its store up for as long. */
const leaseTime = "10 seconds"

/** Tells the suite that there is no Redis to test with. */
const requireRedis = (): void => {
  const missing = redisMissing()
  if (missing !== undefined) throw new BackendAwayError(missing)
}

const openServer = async (): Promise<BackendHarness> => {
  requireRedis()
  const server = await RedisServer.start()
  const [one, other] = [new Redis(server.url), new Redis(server.url)]
  for (const redis of [one, other]) redis.on("error", () => {})
  return {
    layer: redisBackend({ redis: one, leaseTime }).layer,
    peer: redisBackend({ redis: other, leaseTime }).layer,
    expireLease: async (storeId) => {
      await one.hset(`eventlog:{store:${storeId}}:state`, "until", 0)
    },
    loseTail: (storeId, count) => loseTail(one, storeId, count),
    outage: { begin: server.process.crash, end: server.process.start },
    close: async () => {
      one.disconnect()
      other.disconnect()
      await server.stop()
    }
  }
}

const openCluster = async (): Promise<BackendHarness> => {
  requireRedis()
  const cluster = await RedisCluster.start()
  const [one, other] = [cluster.connect(), cluster.connect()]
  for (const redis of [one, other]) redis.on("error", () => {})
  return {
    layer: redisBackend({ redis: one, leaseTime }).layer,
    peer: redisBackend({ redis: other, leaseTime }).layer,
    expireLease: async (storeId) => {
      await one.hset(`eventlog:{store:${storeId}}:state`, "until", 0)
    },
    loseTail: (storeId, count) => loseTail(one, storeId, count),
    outage: { begin: async () => cluster.pause(), end: () => cluster.resume() },
    close: async () => {
      one.disconnect()
      other.disconnect()
      await cluster.stop()
    }
  }
}

const backends = { server: { backend: openServer }, cluster: { backend: openCluster } }

for (const [name, options] of selectBackends(backends, process.env)) {
  backendSuite(`Redis ${name}`, { ...options, scale: process.env.EVENTLOG_TEST_LONG ? 8 : 1 })
}
