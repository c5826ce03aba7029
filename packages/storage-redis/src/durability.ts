import { Effect } from "effect"
import { type AppRedis, mastersOf, type RedisClient } from "./client.ts"

/** What an app should know of a server's settings, said as warnings. */
const warningsOf = (settings: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const warnings: Array<string> = []
  if (settings.get("appendonly") !== "yes") {
    warnings.push("Redis writes no append-only file: what it acknowledged is lost when it ends (appendonly)")
  } else if (settings.get("appendfsync") !== "always") {
    warnings.push("Redis doesn't sync each commit to disk: a crash loses what it acknowledged last (appendfsync)")
  }
  if (settings.get("maxmemory-policy")?.startsWith("allkeys-") === true) {
    warnings.push("Redis evicts any key when its memory is full, feeds too (maxmemory-policy)")
  }
  return warnings
}

const names = ["appendonly", "appendfsync", "maxmemory-policy"]

/** A reply is a list, or an object where the app's client has it so. */
const settingOf = (reply: unknown): readonly [name: string, value: string] | undefined =>
  (Array.isArray(reply) ? [reply] : Object.entries(reply as object)).map(
    ([name, value]) => [String(name), String(value)] as const
  )[0]

const readSettings = async (server: RedisClient): Promise<ReadonlyMap<string, string>> => {
  const replies = await Promise.all(names.map((name) => server.config("GET", name)))
  return new Map(replies.map(settingOf).filter((setting) => setting !== undefined))
}

/**
 * Warns where an acknowledged entry wouldn't survive a crash of Redis, or a full memory. Servers that keep their settings
 * to themselves, as managed ones do, are warned of too: somebody has to look.
 */
export const warnOfSettings = (redis: AppRedis): Effect.Effect<void> =>
  Effect.tryPromise(async () => {
    // A cluster knows its servers once it answered something.
    await redis.ping()
    const servers = await Promise.all(mastersOf(redis).map(readSettings))
    return new Set(servers.flatMap(warningsOf))
  }).pipe(
    Effect.flatMap((warnings) => Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })),
    Effect.catch((error) =>
      Effect.logWarning("Redis doesn't tell whether what it acknowledges survives a crash", error.cause)
    )
  )
