import { setTimeout as sleep } from "node:timers/promises"
import { Histogram } from "../statistics.ts"
import type { Clock } from "./clock.ts"
import { deviceKeyOf } from "./device.ts"
import { Patience } from "./Patience.ts"
import { type Address, protocols } from "./protocols.ts"

/** Devices of one store that come back at the same moment, each with a key of its own and a backlog to read. */
export interface StormJob extends Address {
  readonly kind: "storm"
  readonly storeId: string
  readonly devices: number
  /** The sequence that their backlogs begin with. */
  readonly from: number
  /** Entries of a backlog. */
  readonly delivered: number
}

/** As patient as core's client: with a server that doesn't say hello, and with one that then says nothing more. In milliseconds. */
const helloPatience = 15_000
const silencePatience = 30_000

/** The windows of the waits between attempts, of core's client too: a wait is a random part of one. In milliseconds. */
const firstWindow = 250
const maxWindow = 30_000

/** Attempts of a device that may fail: a server that is gone for good ends the job. */
const maxFailures = 20

/** One device: how many entries it has. */
interface Returning {
  readonly publicKey: string
  received: number
}

/** Connects, and resolves when the device has its backlog. What it got stays got where the attempt fails. */
const attempt = async (job: StormJob, device: Returning): Promise<void> => {
  const { promise, reject, resolve } = Promise.withResolvers<void>()
  promise.catch(() => {})
  const ended = new AbortController()
  const patience = new Patience(helloPatience, () => reject(new Error("The server is silent")))
  try {
    const { storeId, url } = job
    const opened = await Promise.race([
      promise,
      protocols[job.protocol].open({
        ...{ url, storeId, publicKey: device.publicKey, signal: ended.signal },
        onHello: () => patience.renew(silencePatience),
        onFailure: (reason) => reject(new Error(reason))
      })
    ])
    patience.renew(silencePatience)
    opened?.subscribe(job.from + device.received, ({ entries }) => {
      patience.renew(silencePatience)
      device.received += entries
      if (device.received >= job.delivered) resolve()
    })
    await promise
  } catch (error) {
    ended.abort()
    throw error
  } finally {
    patience.end()
  }
}

/** Lets them all come back, and tells how long until all have their backlogs, and how often one of them failed meanwhile. */
export const storm = async (job: StormJob, clock: Clock): Promise<Record<string, number>> => {
  const synced = new Histogram()
  let failed = 0
  const comeBack = async (index: number): Promise<void> => {
    const device: Returning = { publicKey: deviceKeyOf(job.storeId, index), received: 0 }
    const beganAt = performance.now()
    for (let failures = 1; ; failures++) {
      try {
        await attempt(job, device)
        synced.record(Math.max(1, (performance.now() - beganAt) * 1_000))
        return
      } catch (error) {
        failed++
        if (failures === maxFailures) throw error
        await sleep(Math.random() * Math.min(maxWindow, firstWindow * 2 ** (failures - 1)))
      }
    }
  }
  const { seconds } = await clock.during(() =>
    Promise.all(Array.from({ length: job.devices }, (_, index) => comeBack(index)))
  )
  return { value: seconds, "failed attempts": failed, ...synced.summary() }
}
