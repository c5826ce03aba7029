/** An argument of a command. Text is sent as UTF-8, a `Buffer` as it is. */
export type Argument = string | number | Buffer

/** What the backend needs of an ioredis client: a `Redis` or a `Cluster` fits. */
export interface RedisClient {
  readonly ping: () => Promise<unknown>
  readonly config: (subcommand: "GET", name: string) => Promise<unknown>
}

/** Commands that every ioredis client has, and its types lack: what they answer is bytes. */
interface Scripting {
  readonly evalshaBuffer: (sha: string, keys: number, ...rest: ReadonlyArray<Argument>) => Promise<unknown>
  readonly evalBuffer: (source: string, keys: number, ...rest: ReadonlyArray<Argument>) => Promise<unknown>
}

/**
 * A client's commands for scripts. `callBuffer`, which is typed, could send them too, but ioredis fails to where it
 * pipelines by itself.
 */
export const scriptingOf = (redis: RedisClient): Scripting => redis as unknown as Scripting

/** A connection to one server: an ioredis `Redis`. */
export interface RedisConnection extends RedisClient {
  readonly isCluster: boolean
  readonly duplicate: (override: {
    readonly retryStrategy: null
    readonly maxRetriesPerRequest: null
    readonly lazyConnect: false
  }) => Subscriber
  readonly disconnect: () => void
}

/** A client of a cluster: an ioredis `Cluster`. */
export interface RedisCluster extends RedisClient {
  readonly isCluster: boolean
  readonly nodes: (role?: "all" | "master") => Array<RedisConnection>
  readonly disconnect: () => void
}

/** The connection that the backend opens to listen. */
export interface Subscriber {
  readonly subscribe: (...channels: Array<string>) => Promise<unknown>
  readonly unsubscribe: (...channels: Array<string>) => Promise<unknown>
  readonly ping: () => Promise<unknown>
  readonly on: (event: string, listener: (...args: Array<Buffer>) => void) => unknown
  readonly disconnect: () => void
}

/** The app's ioredis client. */
export type AppRedis = RedisConnection | RedisCluster

/** Whether a client speaks to a cluster. */
export const isCluster = (redis: AppRedis): redis is RedisCluster => redis.isCluster

/** The servers that hold the data. */
export const mastersOf = (redis: AppRedis): ReadonlyArray<RedisClient> =>
  isCluster(redis) ? redis.nodes("master") : [redis]
