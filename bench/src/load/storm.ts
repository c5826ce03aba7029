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

/** With how many failures a server is treated that restarts or is full. */
const busyFailures = 4
const isBusy = (reason: string): boolean => /^Closed with 101[23] /.test(reason)

/** A random part of the window after so many failures, the last for this reason. In milliseconds. */
const waitAfter = (failed: number, reason: string): number => {
  const failures = isBusy(reason) ? Math.max(failed, busyFailures) : failed
  return Math.random() * Math.min(maxWindow, firstWindow * 2 ** (failures - 1))
}

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

/**
 * Lets them all come back, and tells how long until all have their backlogs, and how often one of them failed meanwhile; why they
 * did goes to stderr.
 */
export const storm = async (job: StormJob, clock: Clock): Promise<Record<string, number>> => {
  const synced = new Histogram()
  const failures: Array<string> = []
  const comeBack = async (index: number): Promise<void> => {
    const device: Returning = { publicKey: deviceKeyOf(job.storeId, index), received: 0 }
    const beganAt = performance.now()
    for (let failed = 1; ; failed++) {
      try {
        await attempt(job, device)
        synced.record(Math.max(1, (performance.now() - beganAt) * 1_000))
        return
      } catch (error) {
        const { message } = error as Error
        failures.push(message)
        if (failed === maxFailures) throw error
        await sleep(waitAfter(failed, message))
      }
    }
  }
  const { seconds } = await clock.during(() =>
    Promise.all(Array.from({ length: job.devices }, (_, index) => comeBack(index)))
  )
  for (const [reason, { length }] of Map.groupBy(failures, (reason) => reason)) console.error(`${length} x ${reason}`)
  return { value: seconds, "failed attempts": failures.length, ...synced.summary() }
}
