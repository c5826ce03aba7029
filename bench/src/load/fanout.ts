import { setTimeout as sleep } from "node:timers/promises"
import { Histogram } from "../statistics.ts"
import type { Clock } from "./clock.ts"
import type { Delivery, Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"
import { Tally } from "./Tally.ts"

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

/** One store: its writer, and how much its subscribers got. */
const runStore = async (
  job: FanoutJob,
  storeId: string,
  subscribers: number,
  onFailure: (reason: string) => void,
  onDelivery: (delivery: Delivery) => void
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
    device.subscribe(job.from ?? 1, (delivery) => {
      delivered += delivery.entries
      onDelivery(delivery)
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

/** The 99th percentile of the first half and of the second: does a delay grow? */
class Halves {
  readonly #halfMillis: number
  readonly #halves = [new Histogram(), new Histogram()] as const
  #beganAt: number | undefined

  constructor(seconds: number) {
    this.#halfMillis = seconds * 500
  }

  record(madeAt: number): void {
    const now = performance.now()
    this.#beganAt ??= now
    this.#halves[now - this.#beganAt < this.#halfMillis ? 0 : 1].record(Math.max(1, (now - madeAt) * 1_000))
  }

  summary(): Record<string, number> {
    const [first, second] = this.#halves
    return { "p99 ms first half": first.percentile(0.99), "p99 ms second half": second.percentile(0.99) }
  }
}

/** Delivers for a while, and tells how much arrived and how late. */
export const fanout = async (job: FanoutJob, clock: Clock): Promise<Record<string, number>> => {
  const { onFailure, orFail } = failing()
  const tally = new Tally(clock)
  const halves = new Halves(job.seconds)
  let entries = 0
  let frames = 0
  const onDelivery = (delivery: Delivery): void => {
    const madeAt = delivery.madeAt / 1_000
    tally.add(delivery.entries, madeAt)
    if (!clock.isRunning()) return
    entries += delivery.entries
    frames++
    halves.record(madeAt)
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
  const measured = await orFail(tally.run(job.seconds))
  return {
    ...measured,
    "entries/frame": entries / frames,
    ...(job.rate === undefined ? {} : halves.summary())
  }
}
