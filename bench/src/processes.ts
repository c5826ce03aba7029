import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A server process that listens. */
export interface ServerProcess {
  readonly url: string
  /** Seconds of CPU that it used so far. */
  readonly cpuSeconds: () => number
  /** Bytes of memory that it has now. */
  readonly memory: () => number
  /** The most memory that it had since `resetPeak`, or since its start. */
  readonly peakMemory: () => number
  readonly resetPeak: () => void
  /** Statements that it sent to PostgreSQL so far, where they are counted. */
  readonly statements?: () => Promise<number>
  readonly stop: () => Promise<void>
}

const running = new Set<ChildProcess>()

/** Milliseconds that a server has to end by itself: one that lets thousands go still has to write its profile. */
const stopMillis = 30_000

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** What the kernel counts CPU time in; `getconf CLK_TCK` is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** Seconds of CPU that a process used so far. */
export const cpuSecondsOf = (pid: number): number => {
  // The command, in parentheses, may hold anything; what counts comes after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

const memoryOf = (pid: number, field: "VmRSS" | "VmHWM"): number => {
  const [, kibibytes] = new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "latin1"))!
  return Number(kibibytes) * 1024
}

/** How a server process is run. */
export interface ProcessOptions {
  /** Flags of Node. @default none */
  readonly nodeArgs?: ReadonlyArray<string>
  /** A PostgreSQL whose statements are counted. @default none */
  readonly databaseUrl?: string | undefined
}

const postgresPort = "5432"
const counter = new URL("contenders/countStatements.ts", import.meta.url).href

const askForStatements = async (child: ChildProcess): Promise<number> => {
  const answer = once(child, "message")
  child.send("statements")
  return (await answer)[0]
}

/** Starts a script that prints `listening on URL`, and waits until it does. */
export const startServer = async (
  script: string | URL,
  args: ReadonlyArray<string>,
  { databaseUrl, nodeArgs = [] }: ProcessOptions = {}
): Promise<ServerProcess> => {
  const file = typeof script === "string" ? script : fileURLToPath(script)
  const isCounting = databaseUrl !== undefined
  const counting = isCounting ? ["--import", counter] : []
  const child = spawn(process.execPath, [...process.execArgv, ...counting, ...nodeArgs, file, ...args], {
    stdio: ["ignore", "pipe", "pipe", ...(isCounting ? (["ipc"] as const) : [])],
    env: isCounting ? { ...process.env, BENCH_COUNT_PORT: new URL(databaseUrl).port || postgresPort } : process.env
  })
  running.add(child)
  const ended = once(child, "close").finally(() => running.delete(child))
  const pid = child.pid!
  return {
    url: await listening(child, ended),
    cpuSeconds: () => cpuSecondsOf(pid),
    memory: () => memoryOf(pid, "VmRSS"),
    peakMemory: () => memoryOf(pid, "VmHWM"),
    resetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
    ...(isCounting ? { statements: () => askForStatements(child) } : {}),
    stop: async () => {
      child.kill("SIGTERM")
      const kill = setTimeout(() => child.kill("SIGKILL"), stopMillis)
      await ended
      clearTimeout(kill)
    }
  }
}

const listening = (child: ChildProcess, ended: Promise<unknown>): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = ""
    const look = (text: Buffer) => {
      output = (output + text).slice(-4_000)
      const url = /listening on (http:\S+)/.exec(output)?.[1]
      if (url !== undefined) resolve(url)
    }
    child.stdout?.on("data", look)
    child.stderr?.on("data", look)
    ended.then(() => reject(new Error(`A server ended before it listened: ${output}`)), reject)
  })
