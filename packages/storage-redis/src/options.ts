import { aText, type Expectations, required, time, withHint } from "@eventlog-server/core/backend"
import type { Duration } from "effect"
import { type AppRedis, scriptingOf } from "./client.ts"

/** Options of `redisBackend`. */
export interface RedisBackendOptions {
  /**
   * The app's ioredis client, a `Redis` or a `Cluster`, which is neither closed nor reconfigured; or a function that makes
   * one, which is closed when the server is.
   */
  readonly redis: AppRedis | (() => AppRedis)
  /** What the names of all keys and channels begin with; no braces. @default "eventlog:" */
  readonly prefix?: string | undefined
  /** How long a node that died keeps others from processing its stores. @default 30 seconds */
  readonly leaseTime?: Duration.Input | undefined
}

const isClient = (value: unknown): boolean =>
  typeof value === "function" ||
  (typeof value === "object" && value !== null && typeof scriptingOf(value as AppRedis).evalshaBuffer === "function")

const clientHint = (value: unknown): string | undefined => {
  if (typeof value === "string") return "An address goes into one: new Redis(url)."
  return typeof value === "object" && value !== null && "sendCommand" in value
    ? "It may be a client of another package: ioredis is the one that is needed."
    : undefined
}

/** What `redisBackend` takes. */
export const expectedOptions: Expectations<RedisBackendOptions> = {
  redis: withHint(
    required({ expected: "a Redis or Cluster of ioredis, or a function that makes one", accepts: isClient }),
    clientHint
  ),
  prefix: aText,
  leaseTime: time
}
