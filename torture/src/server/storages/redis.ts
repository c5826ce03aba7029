import type { Backend } from "@eventlog-server/core"
import { redisBackend } from "@eventlog-server/storage-redis"
import { Redis } from "ioredis"
import { leaseTime, type Open } from "./openStorage.ts"

/** Keeps everything in Redis. */
export const redis: Open = async (url) => {
  const client = new Redis(url)
  // ioredis prints errors that nobody listens to. What was asked fails by itself.
  client.on("error", () => {})
  return {
    backend: redisBackend({ redis: client, leaseTime }) as Backend<unknown>,
    close: async () => client.disconnect()
  }
}
