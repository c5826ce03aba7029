import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"

const hook = fileURLToPath(new URL("resolveSources.ts", import.meta.url))

/** Resolves with the match as soon as the output has one; rejects with the output when the process ends without. */
const untilPrinted = (child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    let output = ""
    const look = (text: string) => {
      output += text
      const match = pattern.exec(output)
      if (match !== null) resolve(match)
    }
    child.stdout?.on("data", look)
    child.stderr?.on("data", look)
    child.on("close", () => reject(new Error(`It ended without printing ${pattern}:\n${output}`)))
  })

/** A snippet that listens, as a process of its own. */
export interface Running {
  readonly port: string
  /** Sends SIGTERM and answers the exit code; `null` when it had to be killed. */
  readonly stop: () => Promise<number | null>
  /** Waits until it prints this, from now on. */
  readonly prints: (pattern: RegExp) => Promise<unknown>
}

/** Starts a snippet on a free port. It runs until the test is over at the latest. */
export const start = async (file: string): Promise<Running> => {
  const child = spawn(process.execPath, ["--import", hook, file], { env: { ...process.env, PORT: "0" } })
  onTestFinished(() => void child.kill("SIGKILL"))
  child.stdout.setEncoding("utf8")
  child.stderr.setEncoding("utf8")
  const [, port = ""] = await untilPrinted(child, /http:\/\/[^\s"]+:(\d+)/)
  return {
    port,
    stop: async () => {
      const ended = once(child, "exit")
      child.kill("SIGTERM")
      const [code] = await ended
      return code
    },
    prints: (pattern) => untilPrinted(child, pattern)
  }
}
