import { allowAll, type Backend, createEventLogServer, groupCompaction, keepLast, refuse } from "@eventlog-server/core"
import { Notes, serverSchema } from "../schema.ts"
import type { makeHandlerLog } from "./handlerLog.ts"

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const fail = (): never => {
  throw new Error("this handler always fails")
}

const never = () => new Promise<never>(() => {})

/** A server that is quick to look after everything, and writes down which handlers it ran. */
export const createServer = (backend: Backend, log: ReturnType<typeof makeHandlerLog>) =>
  createEventLogServer({
    schema: serverSchema,
    handlers: {
      Added: log,
      Changed: log,
      Noted: log,
      Failed: (input) => {
        log(input)
        return fail()
      },
      Hung: (input) => {
        log(input)
        return never()
      }
    },
    backend,
    auth: allowAll,
    // The store that the connection asked for: a device of its own store can't name another one's key.
    enroll: ({ connection }) => {
      const store = connection?.principal
      return typeof store === "string" ? store : refuse("Nobody invited this device")
    },
    compaction: [groupCompaction(Notes, { olderThan: "1 minute" }, keepLast())],
    limits: { maxPageEntries: 64, maxPageBytes: 32 * 1024 },
    reauthorizeInterval: "1 second",
    pingInterval: "2 seconds",
    pingTimeout: "2 seconds",
    handlerTimeout: "1 second",
    sweepInterval: "3 seconds",
    drainTimeout: "2 seconds",
    logger: silent
  })
