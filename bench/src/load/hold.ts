import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Connections that do nothing. */
export interface HoldJob extends Address {
  readonly kind: "hold"
  readonly connections: number
  /** Whether each of them subscribes to the store `store-0`. */
  readonly subscribes: boolean
}

/** Connections that are opened at the same time. */
const concurrency = 50

/** Opens connections, and holds them until this process ends. */
export const hold = async (job: HoldJob, clock: Clock): Promise<Record<string, number>> => {
  const { open } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  const devices: Array<Device> = []
  const openSome = async (): Promise<void> => {
    while (devices.length < job.connections) {
      const slot = devices.length
      devices.length++
      devices[slot] = await open({ url: job.url, storeId: "store-0", onFailure })
      if (job.subscribes) devices[slot].subscribe(1, () => {})
    }
  }
  const { seconds } = await clock.during(() => orFail(Promise.all(Array.from({ length: concurrency }, openSome))))
  return { value: job.connections / seconds }
}
