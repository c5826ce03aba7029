import { setTimeout as sleep } from "node:timers/promises"
import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** Devices that come back: each connects, proves its key, subscribes at the head of its store, and stays. */
export interface ConnectJob extends Address {
  readonly kind: "connect"
  /** The devices have the stores `store-0`, `store-1`… each its own. */
  readonly connections: number
  /** Connections that are opened at the same time. */
  readonly concurrency: number
}

/** Until the server has seen the first connections go. */
const settleMillis = 1_000

/** What a device does once it is connected. */
type Then = (device: Device, storeId: string) => Promise<void>

/** Connects a device to each store. */
const connectAll = async (job: ConnectJob, onFailure: (reason: string) => void, then: Then): Promise<void> => {
  const { open } = protocols[job.protocol]
  let next = 0
  const connect = async (): Promise<void> => {
    while (next < job.connections) {
      const storeId = `store-${next++}`
      await then(await open({ url: job.url, storeId, onFailure }), storeId)
    }
  }
  await Promise.all(Array.from({ length: job.concurrency }, connect))
}

const subscribe = (device: Device, from: number) =>
  new Promise<void>((resolve) => device.subscribe(from, () => {}, resolve))

/**
 * Connects every device twice, so that what counts runs in code that is compiled, and tells how many do in a second. The first
 * time each writes the entry that its store has from then on.
 */
export const connect = async (job: ConnectJob, clock: Clock): Promise<Record<string, number>> => {
  const { batches } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  let isOver = false
  const onEarly = (reason: string) => void (isOver || onFailure(reason))
  const early: Array<Device> = []
  await orFail(
    connectAll(job, onEarly, async (device, storeId) => {
      await subscribe(device, 1)
      await new Promise<void>((resolve) => device.write(batches(storeId, { batch: 1 }), resolve))
      early.push(device)
    })
  )
  isOver = true
  for (const device of early) device.close()
  await sleep(settleMillis)
  const { seconds } = await clock.during(() => orFail(connectAll(job, onFailure, (device) => subscribe(device, 2))))
  return { value: job.connections / seconds }
}
