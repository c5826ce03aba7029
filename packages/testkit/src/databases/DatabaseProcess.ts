import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"

/** How to run a database server. */
export interface DatabaseProcessOptions {
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** The user to run as, where the program refuses to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** What ends it at once, and whatever it started. @default "SIGKILL" */
  readonly crashSignal?: NodeJS.Signals
  /** Fails until it takes commands. */
  readonly check: () => Promise<unknown>
}

/** In milliseconds: before it is looked again whether a server takes commands. */
const interval = 20

/** A minute: recovery after a crash takes its time on a busy machine. */
const maxAttempts = 3_000

/** Characters of what it wrote to stderr that are kept, to tell why it ended. */
const keptLength = 4_000

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A database server that is started, crashed and started again on what it kept. */
export class DatabaseProcess {
  readonly #options: DatabaseProcessOptions
  #child: ChildProcess | undefined

  private constructor(options: DatabaseProcessOptions) {
    this.#options = options
  }

  /** Starts a server, and waits until it takes commands. */
  static async start(options: DatabaseProcessOptions): Promise<DatabaseProcess> {
    const server = new DatabaseProcess(options)
    await server.start()
    return server
  }

  /** Starts it on what it kept. */
  readonly start = async (): Promise<void> => {
    const { args, check, program, user } = this.#options
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...user })
    this.#child = child
    running.add(child)
    let failure: string | undefined
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-keptLength)
    })
    child.once("error", ({ message }) => {
      failure = message
    })
    child.once("exit", (code) => {
      running.delete(child)
      failure ??= `${program} ended with ${code}: ${stderr}`
    })
    for (let attempt = 1; ; attempt++) {
      try {
        await check()
        return
      } catch (error) {
        if (failure !== undefined || attempt === maxAttempts) {
          throw new Error(failure ?? `${program} takes no commands`, { cause: error })
        }
        await sleep(interval)
      }
    }
  }

  /** Ends it as a crash would: without a goodbye, so that the next start has to recover. */
  readonly crash = (): Promise<void> => this.end(this.#options.crashSignal ?? "SIGKILL")

  /** Makes it say nothing, while its connections stay. */
  pause(): void {
    this.#child?.kill("SIGSTOP")
  }

  /** Lets it go on. */
  resume(): void {
    this.#child?.kill("SIGCONT")
  }

  /** Sends it a signal that ends it, and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    this.resume()
    child.kill(signal)
    await once(child, "exit")
  }
}
