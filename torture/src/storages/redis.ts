import { Redis } from "ioredis"
import { freePort } from "../serverProcess.ts"
import { OwnProcess } from "./ownProcess.ts"
import type { OpenStorage } from "./storage.ts"

/** A Redis that has every commit on disk before it answers. */
export const openRedis: OpenStorage = async (folder) => {
  const port = await freePort()
  const ask = async <A>(question: (redis: Redis) => Promise<A>): Promise<A> => {
    const redis = new Redis(port, "127.0.0.1", {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0
    })
    redis.on("error", () => {})
    try {
      await redis.connect()
      return await question(redis)
    } finally {
      redis.disconnect()
    }
  }
  const server = await OwnProcess.start({
    program: process.env.REDIS_SERVER ?? "redis-server",
    args: [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"]
    ],
    check: () => ask((redis) => redis.ping())
  })
  return {
    address: `redis://127.0.0.1:${port}`,
    isDurable: true,
    faults: [
      { name: "Redis killed", weight: 1.5, excuses: true, run: (force) => server.restart(force * 2_000) },
      { name: "Redis frozen", weight: 1, excuses: true, run: (force) => server.freeze(force * 4_000) },
      {
        name: "Redis connections killed",
        weight: 3,
        excuses: true,
        run: () => ask((redis) => redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")).then(ignore, ignore)
      },
      {
        name: "Redis subscriptions killed",
        weight: 3,
        excuses: true,
        run: () => ask((redis) => redis.call("CLIENT", "KILL", "TYPE", "pubsub")).then(ignore, ignore)
      }
    ],
    close: () => server.end()
  }
}

const ignore = () => {}
