import {
  type Backend,
  type BackendServices,
  checkOptions,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { Context, Duration, Effect, Layer, type Scope } from "effect"
import { ScriptCalls } from "./calls/ScriptCalls.ts"
import type { AppRedis } from "./client.ts"
import { warnOfSettings } from "./durability.ts"
import { makeFeedAdmin } from "./feed/feedAdmin.ts"
import { makeFeedStore } from "./feed/feedStore.ts"
import { Identity } from "./feed/identity.ts"
import { type Keys, makeKeys } from "./keys.ts"
import { StampedList } from "./lists/StampedList.ts"
import type { RedisNode } from "./node.ts"
import { expectedOptions, type RedisBackendOptions } from "./options.ts"
import { makeStoreProgress } from "./progress/storeProgress.ts"
import { makeStoreRegistry } from "./registry/storeRegistry.ts"
import { makeWakeups } from "./wakeups/makeWakeups.ts"

const open = (redis: RedisBackendOptions["redis"]): Effect.Effect<AppRedis, never, Scope.Scope> =>
  typeof redis === "function"
    ? Effect.acquireRelease(Effect.sync(redis), (client) => Effect.sync(() => client.disconnect()))
    : Effect.succeed(redis)

const makeNode = Effect.fnUntraced(function* (
  redis: AppRedis,
  keys: Keys
): Effect.fn.Return<RedisNode, never, Scope.Scope> {
  const calls = new ScriptCalls(redis)
  const behind = new StampedList(redis, calls, { keys: keys.behind, forGood: keys.stores })
  const failing = new StampedList(redis, calls, { keys: keys.failing })
  const retrying = new StampedList(redis, calls, { keys: keys.retrying })
  const wakeups = yield* makeWakeups(redis, keys, () => {
    behind.forget()
    failing.forget()
    retrying.forget()
  })
  return {
    redis,
    calls,
    keys,
    identity: new Identity(redis, keys),
    behind,
    failing,
    retrying,
    wakeups,
    scope: yield* Effect.scope
  }
})

const makePorts = Effect.fnUntraced(function* (
  options: RedisBackendOptions,
  keys: Keys
): Effect.fn.Return<Context.Context<BackendServices>, never, Scope.Scope> {
  const redis = yield* open(options.redis)
  const node = yield* makeNode(redis, keys)
  yield* Effect.forkScoped(warnOfSettings(redis))
  return Context.make(FeedStore, makeFeedStore(node)).pipe(
    Context.add(FeedAdmin, makeFeedAdmin(node)),
    Context.add(StoreProgress, makeStoreProgress(node, Duration.toMillis(options.leaseTime ?? "30 seconds"))),
    Context.add(EventLogServerStoreRegistry, makeStoreRegistry(node))
  )
})

/**
 * Keeps event logs in Redis, through the ioredis client that the app has. Each server that is given the backend opens one
 * connection more, to listen. What an Ack means is up to the settings of Redis, which are looked at when a server starts.
 * Throws an `InvalidOptionsError` that names what is wrong with the options.
 */
export const redisBackend = (options: RedisBackendOptions): Backend => {
  checkOptions("redisBackend", options, expectedOptions)
  const keys = makeKeys(options.prefix ?? "eventlog:")
  return { layer: Layer.effectContext(makePorts(options, keys)) }
}
