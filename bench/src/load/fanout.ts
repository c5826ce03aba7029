import { setTimeout as sleep } from "node:timers/promises"
import { Histogram } from "../statistics.ts"
import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Subscribers that get what a writer of their store writes. */
export interface FanoutJob extends Address {
  readonly kind: "fanout"
  /** Spread over the stores `store-0`, `store-1`… */
  readonly subscribers: number
  readonly stores: number
  /** Entries of one write. */
  readonly batch: number
  readonly seconds: number
  /** Batches a second of each writer. @default the next one follows the Ack of the last */
  readonly rate?: number | undefined
  /** Where the subscriptions begin. @default 1 */
  readonly from?: number | undefined
}

/** Batches that a writer without a rate may be ahead of its subscribers. */
const maxAhead = 8

interface Counts {
  entries: number
  frames: number
}

/** One store: its writer, and how much its subscribers got. */
const runStore = async (
  job: FanoutJob,
  storeId: string,
  subscribers: number,
  onFailure: (reason: string) => void,
  onDelivery: (entries: number, madeAt: number) => void
): Promise<{ readonly start: () => void }> => {
  const { batches, open } = protocols[job.protocol]
  const source = batches(storeId, job)
  const target = { url: job.url, storeId, onFailure }
  const writer: Device = await open(target)
  let sent = 0
  let delivered = 0
  let isAcknowledged = true

  const writeNext = (): void => {
    sent += job.batch
    isAcknowledged = false
    writer.write(source, () => {
      isAcknowledged = true
      if (job.rate === undefined) follow()
    })
  }
  /** Writes the next batch, unless it must wait for the Ack or for subscribers that are behind. */
  const follow = (): void => {
    if (isAcknowledged && sent - delivered / subscribers < maxAhead * job.batch) writeNext()
  }
  for (let index = 0; index < subscribers; index++) {
    const device = await open(target)
    device.subscribe(job.from ?? 1, ({ entries, madeAt }) => {
      delivered += entries
      onDelivery(entries, madeAt)
      if (job.rate === undefined) follow()
    })
  }
  return {
    start: () => {
      if (job.rate === undefined) follow()
      else setInterval(writeNext, 1_000 / job.rate)
    }
  }
}

/** Delivers for a while, and tells how much arrived and how late. */
export const fanout = async (job: FanoutJob, clock: Clock): Promise<Record<string, number>> => {
  const { onFailure, orFail } = failing()
  const counts: Counts = { entries: 0, frames: 0 }
  const latencies = [new Histogram(), new Histogram()] as const
  let beganAt = 0
  const onDelivery = (entries: number, madeAt: number): void => {
    if (!clock.isRunning()) return
    const now = performance.now()
    const half = now - beganAt < job.seconds * 500 ? 0 : 1
    counts.entries += entries
    counts.frames++
    latencies[half].record(Math.max(1, now * 1_000 - madeAt))
  }
  const perStore = job.subscribers / job.stores
  const stores = await orFail(
    Promise.all(
      Array.from({ length: job.stores }, (_, index) => runStore(job, `store-${index}`, perStore, onFailure, onDelivery))
    )
  )
  // Subscriptions are sent, but need not stand yet.
  await sleep(300)
  for (const { start } of stores) start()
  setTimeout(() => {
    beganAt = performance.now()
  }, 0)
  const { seconds } = await orFail(clock.run(job.seconds))
  return {
    value: counts.entries / seconds,
    "frames/s": counts.frames / seconds,
    "entries/frame": counts.entries / counts.frames,
    "p50 ms": latencies[1].percentile(0.5),
    "p99 ms first half": latencies[0].percentile(0.99),
    "p99 ms second half": latencies[1].percentile(0.99)
  }
}
