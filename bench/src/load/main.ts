/** A load process: does the one job that the bench sends it, tells when the counting begins and ends, and the outcome. */
import { type BootstrapJob, bootstrap } from "./bootstrap.ts"
import { makeClock } from "./clock.ts"
import { type DeliverJob, deliver } from "./deliver.ts"
import { type FanoutJob, fanout } from "./fanout.ts"
import { type FillJob, fill } from "./fill.ts"
import { type HoldJob, hold } from "./hold.ts"
import { type InsertJob, insert } from "./insert.ts"
import { type StormJob, storm } from "./storm.ts"
import { type WriteJob, write } from "./write.ts"
import { type XaddJob, xadd } from "./xadd.ts"

/** What a load process can do. */
export type Job = WriteJob | FanoutJob | FillJob | BootstrapJob | HoldJob | StormJob | DeliverJob | InsertJob | XaddJob

/** What it tells the bench. */
export type Told =
  | { readonly what: "begin" | "end" }
  | { readonly what: "done"; readonly measured: Record<string, number>; readonly cpuShare: number }
  | { readonly what: "failed"; readonly message: string }

const tell = (told: Told): void => void process.send?.(told)

let beganAt = 0
let cpuAtBegin = process.cpuUsage()
let cpuShare = 0
const clock = makeClock((what) => {
  tell({ what })
  if (what === "begin") {
    beganAt = performance.now()
    cpuAtBegin = process.cpuUsage()
  } else {
    const { system, user } = process.cpuUsage(cpuAtBegin)
    cpuShare = (user + system) / 1_000 / (performance.now() - beganAt)
  }
})

const perform = (job: Job): Promise<Record<string, number>> => {
  switch (job.kind) {
    case "write":
      return write(job, clock)
    case "fanout":
      return fanout(job, clock)
    case "fill":
      return fill(job, clock)
    case "bootstrap":
      return bootstrap(job, clock)
    case "storm":
      return storm(job, clock)
    case "hold":
      return hold(job, clock)
    case "deliver":
      return deliver(job, clock)
    case "insert":
      return insert(job, clock)
    case "xadd":
      return xadd(job, clock)
  }
}

process.once("message", (job: Job) => {
  perform(job).then(
    (measured) => tell({ what: "done", measured, cpuShare }),
    (error: Error) => tell({ what: "failed", message: error.message })
  )
})
process.once("disconnect", () => process.exit(0))
