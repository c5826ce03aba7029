import { setTimeout as sleep } from "node:timers/promises"
import { isSteady } from "./steadiness.ts"

/** Seconds that work is looked at, to see whether it is as fast as it was before; half of a short run. */
const maxWindow = 0.5
/** Windows that work has time to get steady in: on a busy machine it may never be. */
const maxWindows = 12
/** What is to be done before, however steady it is: a server that has done little runs code that isn't compiled yet. */
const enough = 1_000
/** Windows of a short run: twice as long as what it counts. */
const windowsOfShortRun = 4

/** Work that was counted. */
export interface Counted {
  /** How long it was counted. */
  readonly seconds: number
  /** How long it had gone on before, not counted. */
  readonly warmUp: number
}

/** Says when a job's work counts, and tells the bench, which looks at the server's CPU then. */
export interface Clock {
  readonly isRunning: () => boolean
  /**
   * Counts for a while, as soon as the work is steady and not new any more: connections, code and caches warm up first. A short run waits no
   * longer for that than twice the time that it counts.
   * @param done how much was done so far
   */
  readonly run: (seconds: number, done: () => number) => Promise<Counted>
  /** Counts until some work is done. */
  readonly during: <A>(work: () => Promise<A>) => Promise<{ readonly seconds: number; readonly done: A }>
}

const warmUp = async (seconds: number, done: () => number): Promise<number> => {
  const from = performance.now()
  const window = Math.min(maxWindow, seconds / 2)
  const most = Math.min(maxWindows, Math.floor((seconds / (2 * window)) * windowsOfShortRun))
  const rates: Array<number> = []
  let before = done()
  while (rates.length < most && !(isSteady(rates) && before >= enough)) {
    const beganAt = performance.now()
    await sleep(window * 1_000)
    const after = done()
    // A timer of a busy process is late.
    rates.push((after - before) / (performance.now() - beganAt))
    before = after
  }
  return (performance.now() - from) / 1_000
}

/** @param tell called when counting begins, and when it has ended */
export const makeClock = (tell: (what: "begin" | "end") => void): Clock => {
  let running = false

  const during: Clock["during"] = async (work) => {
    running = true
    tell("begin")
    const from = performance.now()
    const done = await work()
    running = false
    const seconds = (performance.now() - from) / 1_000
    tell("end")
    return { seconds, done }
  }

  return {
    isRunning: () => running,
    during,
    run: async (seconds, done) => {
      const warmedUp = await warmUp(seconds, done)
      const counted = await during(() => sleep(seconds * 1_000))
      return { seconds: counted.seconds, warmUp: warmedUp }
    }
  }
}
