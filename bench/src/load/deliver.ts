import { setTimeout as sleep } from "node:timers/promises"
import { Histogram } from "../statistics.ts"
import type { Clock } from "./clock.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** A reader on the second of two nodes, of what is written on the first and on the second. */
export interface DeliverJob extends Pick<Address, "protocol"> {
  readonly kind: "deliver"
  readonly nodes: readonly [first: string, second: string]
  readonly seconds: number
}

/** Between one delivery and the next write: writes that follow each other faster may share a frame. */
const pauseMillis = 10

/** Writes one entry, and resolves when the reader has it and the writer its Ack. */
type Deliver = () => Promise<void>

/**
 * Writes in turn on the one node and on the other, and tells how late the reader had it from each. Each writer has a store
 * of its own, so that what the one node writes doesn't get into the other's way.
 */
export const deliver = async (job: DeliverJob, clock: Clock): Promise<Record<string, number>> => {
  const { batches, open } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  const [first, second] = job.nodes
  let delivered = 0

  const makePair = async (writerUrl: string, storeId: string, latencies: Histogram): Promise<Deliver> => {
    const writer = await open({ url: writerUrl, storeId, onFailure })
    const reader = await open({ url: second, storeId, onFailure })
    const source = batches(storeId, { batch: 1 })
    let onDelivery = (): void => {}
    reader.subscribe(1, ({ madeAt }) => {
      delivered++
      if (clock.isRunning()) latencies.record(Math.max(1, performance.now() * 1_000 - madeAt))
      onDelivery()
    })
    return async () => {
      const arrived = new Promise<void>((resolve) => {
        onDelivery = resolve
      })
      await Promise.all([arrived, new Promise<void>((resolve) => writer.write(source, resolve))])
    }
  }
  const keepDelivering = async (pairs: ReadonlyArray<Deliver>): Promise<never> => {
    while (true) {
      for (const deliverOne of pairs) {
        await deliverOne()
        await sleep(pauseMillis)
      }
    }
  }

  const another = new Histogram()
  const same = new Histogram()
  const pairs = await orFail(Promise.all([makePair(first, "store-0", another), makePair(second, "store-1", same)]))
  // Subscriptions are sent, but need not stand yet.
  await sleep(300)
  const { warmUp } = await orFail(Promise.race([clock.run(job.seconds, () => delivered), keepDelivering(pairs)]))
  const named = (prefix: string, figures: Record<string, number>) =>
    Object.fromEntries(Object.entries(figures).map(([name, figure]) => [`${prefix} ${name}`, figure]))
  return { ...named("another", another.summary()), ...named("same", same.summary()), "another warm-up s": warmUp }
}
