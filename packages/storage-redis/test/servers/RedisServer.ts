import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { BackendAwayError } from "@eventlog-server/core/conformance"
import { Redis } from "ioredis"
import { freePort } from "./ports.ts"

/** The server's program: Redis, or Valkey. */
const program = process.env.REDIS_SERVER ?? "redis-server"

/** Why no server can be started, and what to do about it; `undefined` when one can. */
export const redisMissing: string | undefined =
  spawnSync(program, ["--version"]).error === undefined
    ? undefined
    : `No "${program}": install Redis (apt-get install redis-server), or set REDIS_SERVER`

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A server of our own, in a folder of its own. It syncs every commit to disk, so that nothing is lost when it is killed. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #flags: ReadonlyArray<string>
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string, flags: ReadonlyArray<string>) {
    this.port = port
    this.#folder = folder
    this.#flags = flags
  }

  /** Starts a server, and waits until it answers. */
  static async start(...flags: ReadonlyArray<string>): Promise<RedisServer> {
    if (redisMissing !== undefined) throw new BackendAwayError(redisMissing)
    const server = new RedisServer(await freePort(), await mkdtemp(join(tmpdir(), "eventlog-redis-")), flags)
    await server.start()
    return server
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
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it on what it kept. */
  async start(): Promise<void> {
    const child = spawn(program, [
      ...["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"],
      ...this.#flags
    ])
    running.add(child)
    child.once("exit", () => running.delete(child))
    this.#child = child
    let log = ""
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (text: Buffer) => {
        log += text
        if (log.includes("eady to accept connections")) resolve()
      })
      child.once("error", reject)
      child.once("exit", (code) => reject(new Error(`${program} ended with ${code}: ${log}`)))
    })
  }

  /** Kills it, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL")
  }

  /** Makes it answer nothing, while its connections stay. */
  pause(): void {
    this.#child?.kill("SIGSTOP")
  }

  resume(): void {
    this.#child?.kill("SIGCONT")
  }

  /** Ends it for good, and removes what it kept. */
  async stop(): Promise<void> {
    this.resume()
    await this.#end("SIGKILL")
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Asks it something, on a connection that is closed again. */
  async ask<A>(question: (redis: Redis) => Promise<A>): Promise<A> {
    const redis = new Redis(this.port, "127.0.0.1")
    try {
      return await question(redis)
    } finally {
      redis.disconnect()
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, "exit")
  }
}
