import type { StorageKind } from "./Storage.ts"

/** Keeps everything in Redis, which other processes may share. */
export const redis: StorageKind = {
  url: "redis://HOST:PORT",
  open: async ({ url }) => {
    const { Redis } = await import("ioredis")
    const { redisBackend } = await import("@eventlog-server/storage-redis")

    const client = new Redis(url)
    // ioredis prints errors that nobody listens to. What was asked fails by itself, and the server says so.
    client.on("error", () => {})
    return {
      backend: redisBackend({ redis: client }),
      close: async () => client.disconnect()
    }
  }
}
