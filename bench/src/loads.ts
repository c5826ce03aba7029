import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./benchmark.ts"
import type { Server } from "./contenders/server.ts"
import type { Job, Told } from "./load/main.ts"

const script = fileURLToPath(new URL("load/main.ts", import.meta.url))

/** A load process that did its job, and still holds its connections. */
export interface Load {
  readonly measurement: Measurement
  /** Ends the process, and so its connections. */
  readonly end: () => void
}

/** What is looked at while a load runs: nothing, where there is no server of this bench. */
export type Watched = Partial<Pick<Server, "cpuSeconds" | "databaseCpuSeconds" | "statements">>

/** What grew while a load ran, by the name that its growth in a second is told by. */
type Counters = Readonly<Record<string, number>>

const read = async ({ cpuSeconds, databaseCpuSeconds, statements }: Watched): Promise<Counters> => ({
  ...(cpuSeconds === undefined ? {} : { "server CPU": cpuSeconds() }),
  ...(databaseCpuSeconds === undefined ? {} : { "database CPU": await databaseCpuSeconds() }),
  ...(statements === undefined ? {} : { "statements/s": await statements() })
})

/** Reads counters; another reading tells what they grew by in a second. */
class Reading {
  readonly #at = performance.now()
  readonly #counters: Promise<Counters>

  constructor(watched: Watched) {
    this.#counters = read(watched)
    // Whoever waits for it hears of its failure.
    this.#counters.catch(() => {})
  }

  async until(end: Reading): Promise<Record<string, number>> {
    const seconds = (end.#at - this.#at) / 1_000
    const [before, after] = await Promise.all([this.#counters, end.#counters])
    return Object.fromEntries(Object.entries(after).map(([name, count]) => [name, (count - before[name]!) / seconds]))
  }
}

/** Sends a load process to a server. Beside what it measured stands what it and the server used meanwhile. */
export const startLoad = (job: Job, watched: Watched): Promise<Load> =>
  new Promise((resolve, reject) => {
    const child = fork(script)
    const end = () => void child.kill("SIGKILL")
    let begin: Reading | undefined
    let used: Promise<Record<string, number>> = Promise.resolve({})
    child.on("message", (told: Told) => {
      switch (told.what) {
        case "begin":
          begin = new Reading(watched)
          break
        case "end":
          used = begin!.until(new Reading(watched))
          used.catch(() => {})
          break
        case "done": {
          const { value = Number.NaN, ...details } = told.measured
          used.then(
            (used) => resolve({ measurement: { value, ...details, ...used, "load CPU": told.cpuShare }, end }),
            reject
          )
          break
        }
        case "failed":
          end()
          reject(new Error(told.message))
      }
    })
    child.once("exit", (code) => reject(new Error(`A load process ended with ${code}`)))
    child.send(job)
  })

/** Runs a job to its end. */
export const runLoad = async (job: Job, watched: Watched): Promise<Measurement> => {
  const { end, measurement } = await startLoad(job, watched)
  end()
  return measurement
}
