import { Histogram } from "../statistics.ts"
import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Clients that each write a batch, wait for its Ack, and write the next. */
export interface WriteJob extends Address {
  readonly kind: "write"
  readonly clients: number
  readonly batch: number
  /** The clients are spread over the stores `store-0`, `store-1`… */
  readonly stores: number
  readonly seconds: number
}

/** Writes for a while and tells how fast that was. */
export const write = async (job: WriteJob, clock: Clock): Promise<Record<string, number>> => {
  const { open, batches } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  const latencies = new Histogram()
  let entries = 0

  const start = (device: Device, storeId: string): void => {
    const source = batches(storeId, { batch: job.batch })
    const next = (): void => {
      const sentAt = performance.now()
      device.write(source, () => {
        if (clock.isRunning()) {
          latencies.record((performance.now() - sentAt) * 1_000)
          entries += job.batch
        }
        next()
      })
    }
    next()
  }

  const devices = await orFail(
    Promise.all(
      Array.from({ length: job.clients }, async (_, index) => {
        const storeId = `store-${index % job.stores}`
        return { storeId, device: await open({ url: job.url, storeId, onFailure }) }
      })
    )
  )
  for (const { device, storeId } of devices) start(device, storeId)
  const { seconds } = await orFail(clock.run(job.seconds))
  return {
    value: entries / seconds,
    "ack p50 ms": latencies.percentile(0.5),
    "ack p99 ms": latencies.percentile(0.99)
  }
}
