import { RedisServer } from "@eventlog-server/testkit/databases"
import type { StorageInUse } from "./StorageInUse.ts"

/** Starts a Redis of its own, in memory: an Ack is worth what Redis keeps. */
export const openRedis = async (): Promise<StorageInUse> => {
  const { stop, url } = await RedisServer.start("--appendonly", "no")
  return { flags: ["--storage", "redis", "--url", url], url, close: stop }
}
