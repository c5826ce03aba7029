import { onTestFinished } from "vitest"

/** What nobody handled while the test ran: what would end a process that has no listener. */
export const watchRejections = (): ReadonlyArray<unknown> => {
  const unhandled: Array<unknown> = []
  const watcher = (reason: unknown) => void unhandled.push(reason)
  for (const event of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(event, watcher)
    onTestFinished(() => void process.off(event, watcher))
  }
  return unhandled
}

/** Long enough for a rejection that nobody handles to be told. */
export const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
