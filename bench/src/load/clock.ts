import { setTimeout as sleep } from "node:timers/promises"

/** Seconds of work that is not counted, before what is: connections and code warm up. A short run has no more than it counts. */
const maxWarmUp = 2

/** Says when a job's work counts, and tells the bench, which looks at the server's CPU then. */
export interface Clock {
  readonly isRunning: () => boolean
  /** Counts for a while; answers how long it really was. */
  readonly run: (seconds: number) => Promise<{ readonly seconds: number }>
  /** Counts until some work is done. */
  readonly during: <A>(work: () => Promise<A>) => Promise<{ readonly seconds: number; readonly done: A }>
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
    run: async (seconds) => {
      await sleep(Math.min(maxWarmUp, seconds) * 1_000)
      return during(() => sleep(seconds * 1_000))
    }
  }
}
