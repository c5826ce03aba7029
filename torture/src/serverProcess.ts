import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { Answer, Arguments, Call, Commands, Reply, Settings } from "./server/commands.ts"

/** Bytes of what a server wrote to stderr that are kept, to tell why it ended. */
const keptBytes = 4_000

/** The command failed, or the server ended before it answered. Whether it was carried out nobody knows then. */
export class CommandError extends Error {}

/** One life of a server program. */
export class ServerProcess {
  readonly run: string
  /** Settles when the process has ended. */
  readonly ended: Promise<void>
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, (reply: Reply) => void>()
  private nextId = 1
  private stderr = ""
  private isOver = false

  private constructor(script: string, settings: Settings, onDied: (why: string) => void) {
    this.run = settings.run
    this.child = fork(script, [JSON.stringify(settings)], { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-keptBytes)
    })
    this.child.on("message", (reply: Reply) => this.take(reply))
    this.ended = once(this.child, "close").then(([code, signal]) => {
      if (!this.isOver) onDied(`${signal ?? `code ${code}`}: ${this.stderr}`)
      this.isOver = true
      for (const id of this.waiting.keys()) this.take({ id, error: "The server ended" })
    })
  }

  /** Starts a server and waits until it serves. @param onDied called when it ends without being told to */
  static async start(script: string, settings: Settings, onDied: (why: string) => void): Promise<ServerProcess> {
    const server = new ServerProcess(script, settings, onDied)
    await server.reply(0)
    return server
  }

  /** Has a command carried out. */
  async call<Name extends keyof Commands>(name: Name, ...args: Arguments<Name>): Promise<Answer<Name>> {
    const id = this.nextId++
    if (this.isOver || !this.child.connected) throw new CommandError("The server ended")
    this.child.send({ id, name, args } satisfies Call, () => {})
    return (await this.reply(id)) as Answer<Name>
  }

  /** Ends it as a deploy does, and waits. */
  stop(): Promise<void> {
    return this.end("SIGTERM")
  }

  /** Ends it as a power cut does, and waits. */
  kill(): Promise<void> {
    return this.end("SIGKILL")
  }

  /** Stops it from doing anything, or lets it go on. */
  freeze(isFrozen: boolean): void {
    this.child.kill(isFrozen ? "SIGSTOP" : "SIGCONT")
  }

  private end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.isOver = true
    this.child.kill("SIGCONT")
    this.child.kill(signal)
    return this.ended
  }

  private async reply(id: number): Promise<unknown> {
    const { error, value } = await new Promise<Reply>((resolve) => this.waiting.set(id, resolve))
    if (error !== undefined) throw new CommandError(error)
    return value
  }

  private take(reply: Reply): void {
    const waiting = this.waiting.get(reply.id)
    this.waiting.delete(reply.id)
    waiting?.(reply)
  }
}
