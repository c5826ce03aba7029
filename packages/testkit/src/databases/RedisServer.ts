import { spawnSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import { freePort } from "../network/freePort.ts"
import { DatabaseProcess } from "./DatabaseProcess.ts"
import { makeFolder, type OwnDatabase, ownDatabase } from "./ownDatabase.ts"

/** The server's program: Redis, or Valkey. */
const program = process.env.REDIS_SERVER ?? "redis-server"

/** Why no Redis can be started, and how to get it; `undefined` when one can. */
export const redisMissing = (): string | undefined =>
  spawnSync(program, ["--version"]).error === undefined
    ? undefined
    : `No "${program}": install Redis (apt-get install redis-server), or set REDIS_SERVER`

/** Asks a server something, on a connection that is closed again. */
const ask = async <A>(port: number, question: (redis: Redis) => Promise<A>): Promise<A> => {
  const redis = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on("error", () => {})
  try {
    await redis.connect()
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}

/** A Redis of a test's own. It syncs every commit to disk, so that nothing is lost when it is killed. */
export class RedisServer {
  readonly port: number
  readonly #database: OwnDatabase

  private constructor(port: number, database: OwnDatabase) {
    this.port = port
    this.#database = database
  }

  /** Starts a server, and waits until it takes commands. @param flags beside its own, which they replace */
  static async start(...flags: ReadonlyArray<string>): Promise<RedisServer> {
    const folder = await makeFolder("redis")
    const port = await freePort()
    const server = await DatabaseProcess.start({
      program,
      args: [
        ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
        ...["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"],
        ...flags
      ],
      check: () => ask(port, (redis) => redis.ping())
    })
    return new RedisServer(port, ownDatabase(`redis://127.0.0.1:${port}`, server, folder))
  }

  /** Starts a replica, and waits until it follows. Quick where the primary doesn't wait for more of them. */
  static async startReplica(primary: RedisServer): Promise<RedisServer> {
    const replica = await RedisServer.start("--replicaof", "127.0.0.1", `${primary.port}`)
    await replica.ask(async (redis) => {
      while (!(await redis.info("replication")).includes("master_link_status:up")) await sleep(10)
    })
    return replica
  }

  get url(): string {
    return this.#database.url
  }

  get process(): DatabaseProcess {
    return this.#database.process
  }

  /** Ends it for good, and removes what it kept. */
  readonly stop = (): Promise<void> => this.#database.remove()

  /** Asks it something, on a connection that is closed again. */
  ask<A>(question: (redis: Redis) => Promise<A>): Promise<A> {
    return ask(this.port, question)
  }
}
