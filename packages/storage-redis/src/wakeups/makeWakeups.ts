import { Effect, type Scope } from "effect"
import { type AppRedis, isCluster, type RedisConnection, type Subscriber } from "../client.ts"
import type { Keys } from "../keys.ts"
import { Wakeups } from "./Wakeups.ts"

/**
 * Servers of a cluster pass messages on to each other, over connections that nobody here sees break. So everybody is woken
 * every now and then, who then finds nothing new as a rule.
 */
const clusterInterval = "30 seconds"

/** Any server of a cluster hears what is published on any other. */
const serverOf = (redis: AppRedis): RedisConnection => {
  if (!isCluster(redis)) return redis
  const servers = redis.nodes("all")
  const server = servers[Math.floor(Math.random() * servers.length)]
  if (server === undefined) throw new Error("No server of the cluster is known yet")
  return server
}

const openSubscriber = (redis: AppRedis): Subscriber =>
  serverOf(redis).duplicate({ retryStrategy: null, maxRetriesPerRequest: null, lazyConnect: false })

/**
 * Opens the connection that hears of commits and of changes of keys, until the scope closes.
 *
 * @param onConnected called for each new connection, before anybody is woken
 */
export const makeWakeups = Effect.fnUntraced(function* (
  redis: AppRedis,
  keys: Keys,
  onConnected: () => void
): Effect.fn.Return<Wakeups, never, Scope.Scope> {
  const wakeups = yield* Effect.acquireRelease(
    Effect.sync(() => new Wakeups({ open: () => openSubscriber(redis), onConnected, keys })),
    (wakeups) => Effect.sync(() => wakeups.close())
  )
  if (isCluster(redis)) {
    yield* Effect.sync(() => wakeups.wakeAll()).pipe(Effect.delay(clusterInterval), Effect.forever, Effect.forkScoped)
  }
  return wakeups
})
