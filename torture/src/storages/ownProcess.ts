import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"

/** How to run a database of one's own. */
export interface OwnProcessOptions {
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** The user to run as, where the program refuses to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Fails until it answers. */
  readonly check: () => Promise<unknown>
}

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** A database server that a run starts, kills and starts again. */
export class OwnProcess {
  private readonly options: OwnProcessOptions
  private child: ChildProcess | undefined

  private constructor(options: OwnProcessOptions) {
    this.options = options
  }

  static async start(options: OwnProcessOptions): Promise<OwnProcess> {
    const own = new OwnProcess(options)
    await own.start()
    return own
  }

  /** Kills it, leaves it dead for a while and starts it again. */
  async restart(downMillis: number): Promise<void> {
    await this.end("SIGKILL")
    await pause(downMillis)
    await this.start()
  }

  /** Lets it answer nothing for a while, while its connections stay. */
  async freeze(millis: number): Promise<void> {
    this.child?.kill("SIGSTOP")
    await pause(millis)
    this.child?.kill("SIGCONT")
  }

  /** Ends it for good. */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, "exit")
  }

  private async start(): Promise<void> {
    const { args, check, program, user } = this.options
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...user })
    this.child = child
    let failure: string | undefined
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4_000)
    })
    child.once("error", (error) => {
      failure = error.message
    })
    child.once("exit", (code) => {
      failure ??= `${program} ended with ${code}: ${stderr}`
    })
    for (let attempt = 0; ; attempt++) {
      try {
        await check()
        return
      } catch (error) {
        if (failure !== undefined || attempt > 600)
          throw new Error(failure ?? `${program} does not answer`, { cause: error })
        await pause(50)
      }
    }
  }
}
