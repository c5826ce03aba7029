import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import type { Measured, Memory } from "./settings.ts"

/** How often memory is looked at, in milliseconds. */
const lookMillis = 50

const none: Memory = { heap: 0, external: 0, rss: 0 }

const look = (): Memory => {
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, external, rss }
}

const greater = (a: Memory, b: Memory): Memory => ({
  heap: Math.max(a.heap, b.heap),
  external: Math.max(a.external, b.external),
  rss: Math.max(a.rss, b.rss)
})

/** What is left after garbage collections; twice, since finalizers let go of more. */
const collected = async (): Promise<Memory> => {
  for (let round = 0; round < 2; round++) {
    global.gc?.()
    await sleep(20)
  }
  return look()
}

const rssPeak = (): number =>
  1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? 0)

const isSocket = (descriptor: string): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:")
  } catch {
    // Closed meanwhile.
    return false
  }
}

/** Measures the process that it is in; Linux only. */
export class Meter {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 5 })
  #before = none
  #peak = none

  constructor() {
    this.#delay.enable()
    setInterval(() => this.#look(), lookMillis)
  }

  /** Forgets what was measured so far. */
  async begin(): Promise<void> {
    this.#before = await collected()
    this.#peak = none
    writeFileSync("/proc/self/clear_refs", "5")
    this.#delay.reset()
  }

  async measure(): Promise<Measured> {
    // What held the loop up until now is counted when it turns again, and its collections below are not.
    await sleep(2 * lookMillis)
    this.#look()
    const loopMillis = this.#delay.max / 1e6
    const peak = { ...this.#peak, rss: rssPeak() }
    const sockets = readdirSync("/proc/self/fd").filter(isSocket).length
    return { before: this.#before, peak, held: await collected(), loopMillis, sockets }
  }

  #look(): void {
    this.#peak = greater(this.#peak, look())
  }
}
