import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./benchmark.ts"
import type { Job, Told } from "./load/main.ts"
import type { ServerProcess } from "./processes.ts"

const script = fileURLToPath(new URL("load/main.ts", import.meta.url))

/** A load process that did its job, and still holds its connections. */
export interface Load {
  readonly measurement: Measurement
  /** Ends the process, and so its connections. */
  readonly end: () => void
}

/** For jobs that have no server of this bench: whose CPU that would be, it can't tell. */
export const noServer: Pick<ServerProcess, "cpuSeconds"> = { cpuSeconds: () => 0 }

/** Sends a load process to a server. Beside what it measured stand the CPU that it and the server used meanwhile. */
export const startLoad = (job: Job, server: Pick<ServerProcess, "cpuSeconds">): Promise<Load> =>
  new Promise((resolve, reject) => {
    const child = fork(script)
    const end = () => void child.kill("SIGKILL")
    let beganAt = 0
    let cpuAtBegin = 0
    let serverCpu = 0
    child.on("message", (told: Told) => {
      switch (told.what) {
        case "begin":
          beganAt = performance.now()
          cpuAtBegin = server.cpuSeconds()
          break
        case "end":
          serverCpu = (server.cpuSeconds() - cpuAtBegin) / ((performance.now() - beganAt) / 1_000)
          break
        case "done": {
          const { value = Number.NaN, ...details } = told.measured
          const measurement = { value, ...details, "server CPU": serverCpu, "load CPU": told.cpuShare }
          resolve({ measurement, end })
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
export const runLoad = async (job: Job, server: Pick<ServerProcess, "cpuSeconds">): Promise<Measurement> => {
  const { end, measurement } = await startLoad(job, server)
  end()
  return measurement
}
