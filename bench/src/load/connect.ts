import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Devices that come back: each connects, proves its key, subscribes at the head of its store, and stays. */
export interface ConnectJob extends Address {
  readonly kind: "connect"
  /** The devices have the stores `store-0`, `store-1`… in turn. */
  readonly connections: number
  /** Connections that are opened at the same time. */
  readonly concurrency: number
}

/** Connects all, and closes them again where they are not to stay. */
const connectAll = async (job: ConnectJob, stays: boolean, onFailure: (reason: string) => void): Promise<void> => {
  const { open } = protocols[job.protocol]
  let next = 0
  const connect = async (): Promise<void> => {
    while (next < job.connections) {
      let isClosed = false
      const target = {
        url: job.url,
        storeId: `store-${next++}`,
        onFailure: (reason: string) => void (isClosed || onFailure(reason))
      }
      const device: Device = await open(target)
      await new Promise<void>((resolve) => device.subscribe(1, () => {}, resolve))
      if (stays) continue
      isClosed = true
      device.close()
    }
  }
  await Promise.all(Array.from({ length: job.concurrency }, connect))
}

/** Connects every device twice, so that what counts runs in code that is compiled, and tells how many do in a second. */
export const connect = async (job: ConnectJob, clock: Clock): Promise<Record<string, number>> => {
  const { onFailure, orFail } = failing()
  await orFail(connectAll(job, false, onFailure))
  const { seconds } = await clock.during(() => orFail(connectAll(job, true, onFailure)))
  return { value: job.connections / seconds }
}
