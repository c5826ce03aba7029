import type { Clock } from "./clock.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"

/** New devices that get a store's history, all at the same time. */
export interface BootstrapJob extends Address {
  readonly kind: "bootstrap"
  readonly storeId: string
  readonly devices: number
  /** Entries that each of them is to get: fewer than stored where the history is compacted. */
  readonly delivered: number
  /** Entries of the history that these stand for. */
  readonly stored: number
}

/** Tells how long devices wait for the first page and for all of it. */
export const bootstrap = async (job: BootstrapJob, clock: Clock): Promise<Record<string, number>> => {
  const { open } = protocols[job.protocol]
  const { onFailure, orFail } = failing()
  const target = { url: job.url, storeId: job.storeId, onFailure }
  const devices = await orFail(Promise.all(Array.from({ length: job.devices }, () => open(target))))
  let firstAt = Number.POSITIVE_INFINITY
  const beganAt = performance.now()

  const receive = (device: (typeof devices)[number]) =>
    new Promise<void>((resolve) => {
      let left = job.delivered
      device.subscribe(1, ({ entries }) => {
        firstAt = Math.min(firstAt, performance.now())
        left -= entries
        if (left <= 0) resolve()
      })
    })
  const { seconds } = await clock.during(() => orFail(Promise.all(devices.map(receive))))
  return {
    value: (job.stored * job.devices) / seconds,
    "first page ms": firstAt - beganAt,
    "whole ms": seconds * 1_000
  }
}
