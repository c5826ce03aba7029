import { setTimeout as sleep } from "node:timers/promises"
import { Cluster } from "ioredis"
import { freePort } from "../network/freePort.ts"
import { RedisServer } from "./RedisServer.ts"

const slots = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383]
] as const

/** Three servers that share the slots. */
export class RedisCluster {
  readonly #servers: ReadonlyArray<RedisServer>

  private constructor(servers: ReadonlyArray<RedisServer>) {
    this.#servers = servers
  }

  /** Starts a cluster, and waits until every server takes commands. */
  static async start(): Promise<RedisCluster> {
    const busPorts = await Promise.all(slots.map(freePort))
    // All of them pause together in tests. None should take that for the end of another.
    const flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "60000"]
    const servers = await Promise.all(
      busPorts.map((busPort) => RedisServer.start(...flags, "--cluster-port", `${busPort}`))
    )
    for (const [index, server] of servers.entries()) {
      await server.ask(async (redis) => {
        const [from, to] = slots[index]!
        await redis.call("cluster", "SET-CONFIG-EPOCH", index + 1)
        await redis.call("cluster", "ADDSLOTSRANGE", from, to)
        if (index > 0) await redis.call("cluster", "MEET", "127.0.0.1", servers[0]!.port, busPorts[0]!)
      })
    }
    const cluster = new RedisCluster(servers)
    await cluster.#untilOk()
    return cluster
  }

  connect(): Cluster {
    return new Cluster(this.#servers.map(({ port }) => ({ host: "127.0.0.1", port })))
  }

  pause(): void {
    for (const server of this.#servers) server.process.pause()
  }

  /** Lets it answer again. What it would have answered meanwhile is lost, with the connections. */
  async resume(): Promise<void> {
    for (const server of this.#servers) server.process.resume()
    for (const server of this.#servers) {
      await server.ask(async (redis) => {
        await redis.call("client", "KILL", "TYPE", "pubsub")
        await redis.call("client", "KILL", "TYPE", "normal", "SKIPME", "yes")
      })
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
  }

  async #untilOk(): Promise<void> {
    for (const server of this.#servers) {
      await server.ask(async (redis) => {
        while (!(await redis.cluster("INFO")).includes("cluster_state:ok")) await sleep(20)
      })
    }
  }
}
