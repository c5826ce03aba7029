import { setTimeout as sleep } from "node:timers/promises"
import { RedisServer } from "@eventlog-server/testkit/databases"
import type { ForgetfulStorage } from "@eventlog-server/testkit/failover"
import { TcpProxy } from "@eventlog-server/testkit/network"
import { Redis } from "ioredis"
import { onTestFinished } from "vitest"
import { redisBackend } from "../src/index.ts"

/** A primary whose replica takes its place, and lags behind once it is told to. */
export const openReplicatedRedis = async (): Promise<ForgetfulStorage> => {
  const primary = await RedisServer.start("--repl-diskless-sync-delay", "0")
  onTestFinished(primary.stop)
  const replica = await RedisServer.startReplica(primary)
  onTestFinished(replica.stop)
  const proxy = await TcpProxy.open(primary)
  onTestFinished(proxy.close)
  return {
    openBackend: () => {
      const redis = new Redis(proxy.port)
      redis.on("error", () => {})
      onTestFinished(() => redis.disconnect())
      return redisBackend({ redis })
    },
    beginLosing: async () => {
      await primary.ask(async (redis) => {
        await redis.set("last", "1")
        while ((await redis.wait(1, 1_000)) < 1) await sleep(10)
      })
      await replica.ask((redis) => redis.replicaof("NO", "ONE"))
    },
    takeOver: async () => {
      await proxy.begin()
      await primary.process.crash()
      proxy.lead(replica)
      await proxy.end()
    }
  }
}
