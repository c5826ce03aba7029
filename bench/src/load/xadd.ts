import { Redis } from "ioredis"
import type { Clock } from "./clock.ts"

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
  let added = 0
  const keepAdding = async (): Promise<never> => {
    while (true) {
      const pipeline = redis.pipeline()
      for (let index = 0; index < job.batch; index++) pipeline.xadd("stream", "*", "entry", value)
      await pipeline.exec()
      if (clock.isRunning()) added += job.batch
    }
  }
  const adding: Promise<never> = Promise.race(Array.from({ length: job.clients }, keepAdding))
  const { seconds } = await Promise.race([clock.run(job.seconds), adding])
  return { value: added / seconds }
}
