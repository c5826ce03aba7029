import type { Clock } from "./clock.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Fills a store with history. */
export interface FillJob extends Address {
  readonly kind: "fill"
  readonly storeId: string
  readonly entries: number
  /** Entries of one write. */
  readonly batch: number
  /** Primary keys that the entries go round. @default every entry has its own */
  readonly keys?: number | undefined
  /** Milliseconds that the entries claim to be old. @default 0 */
  readonly age?: number | undefined
}

/** Batches under way at the same time. */
const inFlight = 4

/** Writes as many entries as asked for, and tells how many a second. */
export const fill = async (job: FillJob, clock: Clock): Promise<Record<string, number>> => {
  const { batches, open } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  const device = await open({ url: job.url, storeId: job.storeId, onFailure })
  const source = batches(job.storeId, job)
  const rounds = Math.ceil(job.entries / job.batch)
  const { seconds } = await clock.during(() =>
    orFail(
      new Promise<void>((resolve) => {
        let sent = 0
        let acknowledged = 0
        const next = (): void => {
          if (sent >= rounds) return
          sent++
          device.write(source, () => {
            acknowledged++
            if (acknowledged === rounds) resolve()
            next()
          })
        }
        for (let index = 0; index < inFlight; index++) next()
      })
    )
  )
  return { value: job.entries / seconds }
}
