import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Call, CommandsOf, Reply } from "./commands.ts"

/** Bytes of what a process wrote to stderr that are kept, to tell why it ended. */
const keptBytes = 2_000

/** How a program is started. */
export interface ChildOptions {
  /** The file beside this one that is run. */
  readonly script: string
  /** Its only argument, as JSON. */
  readonly settings: unknown
  /** Flags for node. @default none */
  readonly nodeArgs?: ReadonlyArray<string> | undefined
}

/** A command failed, or the process ended before it replied. */
export class ChildError extends Error {}

/** A program of the harness in a process of its own, which is told what to do. */
export class Child<Commands extends CommandsOf<Commands>> {
  /** Settles when the process has ended, with what was last heard of it. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #nextId = 1
  #stderr = ""
  #isOver = false
  #isStopped = false

  private constructor({ nodeArgs = [], script, settings }: ChildOptions) {
    this.#child = fork(fileURLToPath(new URL(script, import.meta.url)), [JSON.stringify(settings)], {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      execArgv: [...process.execArgv, ...nodeArgs]
    })
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptBytes)
    })
    this.#child.on("message", (reply: Reply) => this.#take(reply))
    this.ended = once(this.#child, "close").then(([code, signal]) => {
      this.#isOver = true
      for (const id of this.#waiting.keys()) this.#take({ id, error: "The process ended" })
      return `${signal ?? `code ${code}`}: ${this.#stderr}`
    })
  }

  /** Starts a program and waits until it says that it is ready. Rejects when it ends before. */
  static async start<Commands extends CommandsOf<Commands>>(options: ChildOptions): Promise<Child<Commands>> {
    const child = new Child<Commands>(options)
    try {
      await child.#reply(0)
      return child
    } catch {
      throw new ChildError(`${options.script} did not start: ${await child.ended}`)
    }
  }

  get isAlive(): boolean {
    return !this.#isOver
  }

  /** Resolves with why it ended when it ended by itself; never when it was stopped. */
  get died(): Promise<string> {
    return this.ended.then((why) => (this.#isStopped ? new Promise(() => {}) : why))
  }

  /** Has a command carried out. Rejects with a {@link ChildError}. */
  async call<Name extends keyof Commands & string>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Awaited<ReturnType<Commands[Name]>>> {
    if (this.#isOver || !this.#child.connected) throw new ChildError("The process ended")
    const id = this.#nextId++
    this.#child.send({ id, name, args } satisfies Call, () => {})
    return (await this.#reply(id)) as Awaited<ReturnType<Commands[Name]>>
  }

  /** Ends it as a deploy does, by force when it takes longer. Resolves with the milliseconds that it took. */
  async stop(patience = 60_000): Promise<number> {
    const from = performance.now()
    this.#isStopped = true
    this.#child.kill("SIGTERM")
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), patience)
    await this.ended
    clearTimeout(timer)
    return performance.now() - from
  }

  async #reply(id: number): Promise<unknown> {
    const { error, value } = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
      if (this.#isOver) resolve({ id, error: "The process ended" })
    })
    if (error !== undefined) throw new ChildError(error)
    return value
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    waiting?.(reply)
  }
}
