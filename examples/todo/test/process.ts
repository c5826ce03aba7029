import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const repository = new URL("../../../", import.meta.url)

/**
 * Builds `examples/<name>` from the sources of the whole repository; answers the folder that it was built to. Test files
 * that run at the same time have a folder each.
 */
export const buildExample = async (name: string): Promise<URL> => {
  const cwd = new URL(`examples/${name}/`, repository)
  const folder = new URL(`node_modules/.cache/example-${name}-${process.env.VITEST_POOL_ID}/`, repository)
  const env = { ...process.env, EXAMPLE_FOLDER: fileURLToPath(folder) }
  await promisify(execFile)("npx", ["--no-install", "tsup", "--config", "test/tsup.config.ts"], { cwd, env })
  return folder
}

const running = new Set<ChildProcess>()

/** Kills what is still running. For `afterAll`: a test that failed must not leave its server behind. */
export const killLeftovers = (): void => {
  for (const child of running) child.kill("SIGKILL")
}

/** What a process that came to its end left behind. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts a script with the Node that runs the tests. @param variables beside those of the environment */
export const spawnScript = (script: URL, args: ReadonlyArray<string>, variables: Record<string, string> = {}) => {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables }
  })
  running.add(child)
  child.once("close", () => running.delete(child))

  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text
  })
  const ended: Promise<Ended> = once(child, "close").then(([code]) => ({ code, stdout, stderr }))
  return { child, ended, stdout: () => stdout }
}

/** A server process that is listening. */
export interface Running {
  readonly url: string
  /** Sends a signal and waits for the end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<Ended>
}

/** Starts a server and waits until it says where it is listening. Rejects with its output if it ends before. */
export const startServer = async (
  script: URL,
  args: ReadonlyArray<string>,
  variables: Record<string, string> = {}
): Promise<Running> => {
  const { child, ended, stdout } = spawnScript(script, args, variables)
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", () => {
      const address = /listening on (http:\S+)/.exec(stdout())?.[1]
      if (address !== undefined) resolve(address)
    })
    ended.then(({ code, stderr }) => reject(new Error(`Ended with ${code} before it listened: ${stderr}`)), reject)
  })
  return {
    url,
    stop: (signal = "SIGTERM") => {
      child.kill(signal)
      return ended
    }
  }
}
