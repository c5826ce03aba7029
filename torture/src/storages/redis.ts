import { RedisServer } from "@eventlog-server/testkit/databases"
import type { OpenStorage } from "./storage.ts"
import { crash, freeze } from "./troubles.ts"

/** A Redis that has every commit on disk before it answers. */
export const openRedis: OpenStorage = async () => {
  const redis = await RedisServer.start()
  // What it can't be asked, because it is away, needs no fault.
  const kill = (type: string) =>
    redis.ask((client) => client.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes")).then(ignore, ignore)
  return {
    address: redis.url,
    isDurable: true,
    faults: [
      { name: "Redis killed", weight: 1.5, excuses: true, run: (force) => crash(redis.process, force * 2_000) },
      { name: "Redis frozen", weight: 1, excuses: true, run: (force) => freeze(redis.process, force * 4_000) },
      { name: "Redis connections killed", weight: 3, excuses: true, run: () => kill("normal") },
      { name: "Redis subscriptions killed", weight: 3, excuses: true, run: () => kill("pubsub") }
    ],
    close: redis.stop
  }
}

const ignore = () => {}
