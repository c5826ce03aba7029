import { Redis } from "ioredis"
import type { Clock } from "./clock.ts"
import { Tally } from "./Tally.ts"

/** Pipelines of XADDs to one stream, over one connection as in our server. */
export interface XaddJob {
  readonly kind: "xadd"
  readonly url: string
  /** Pipelines under way at the same time. */
  readonly clients: number
  /** XADDs of one pipeline. */
  readonly batch: number
  readonly seconds: number
}

/** About as long as an entry is. */
const value = Buffer.alloc(150, 0x61)

/** What Redis takes with nothing around it. */
export const xadd = async (job: XaddJob, clock: Clock): Promise<Record<string, number>> => {
  const redis = new Redis(job.url)
  const tally = new Tally(clock)
  const keepAdding = async (): Promise<never> => {
    while (true) {
      const sentAt = performance.now()
      const pipeline = redis.pipeline()
      for (let index = 0; index < job.batch; index++) pipeline.xadd("stream", "*", "entry", value)
      await pipeline.exec()
      tally.add(job.batch, sentAt)
    }
  }
  const adding: Promise<never> = Promise.race(Array.from({ length: job.clients }, keepAdding))
  return Promise.race([tally.run(job.seconds), adding])
}
