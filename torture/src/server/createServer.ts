import {
  allowAll,
  createEventLogServer,
  groupCompaction,
  type HandlerInput,
  keepLast,
  refuse
} from "@eventlog-server/core"
import { silent } from "@eventlog-server/testkit/schema"
import { Notes, Secrets, serverSchema } from "../schema.ts"
import { idOf } from "../seen.ts"
import type { HandlerLog } from "./handlerLog.ts"
import type { OpenStorage } from "./storages/openStorage.ts"

/** Handlers that write down that they ran, and project what they ran for where they share a transaction. */
const makeHandlers = ({ projection }: OpenStorage, log: HandlerLog) => {
  const fail = (input: HandlerInput<unknown, unknown>, why: string): never => {
    log.handler(input, { flunked: true })
    throw new Error(why)
  }
  const handle = async (input: HandlerInput<unknown, unknown>): Promise<void> => {
    log.handler(input)
    await projection?.add(input.transaction, input.storeId, idOf(input.entry.id))
  }
  /** Most that fail succeed when they are tried again at once; one in 400 has to be asked for. */
  const handleAtLast = async (input: HandlerInput<unknown, unknown>): Promise<void> =>
    Math.random() < 0.05 ? fail(input, "this handler fails at random") : handle(input)
  return {
    Added: handleAtLast,
    Changed: handleAtLast,
    Noted: handleAtLast,
    Failed: async (input: HandlerInput<unknown, unknown>) => {
      await handle(input)
      fail(input, "this handler always fails")
    },
    Hung: async (input: HandlerInput<unknown, unknown>) => {
      await handle(input)
      await new Promise<never>(() => {})
    }
  }
}

/** A server that is quick to look after everything, and writes down which handlers it ran. */
export const createServer = (storage: OpenStorage, log: HandlerLog) =>
  createEventLogServer({
    schema: serverSchema,
    handlers: makeHandlers(storage, log),
    backend: storage.backend,
    auth: allowAll,
    // The store that the connection asked for: a device of its own store can't name another one's key.
    enroll: ({ connection }) => {
      const store = connection?.principal
      return typeof store === "string" ? store : refuse("Nobody invited this device")
    },
    compaction: [groupCompaction(Notes, { olderThan: "1 minute" }, keepLast())],
    limits: { maxPageEntries: 64, maxPageBytes: 32 * 1024 },
    reauthorizeInterval: "1 second",
    // effect's own client sends a sign of life every 5 seconds, and can't be asked for one.
    pingInterval: "6 seconds",
    pingTimeout: "2 seconds",
    handlerTimeout: "2 seconds",
    sweepInterval: "3 seconds",
    drainTimeout: "2 seconds",
    retry: { attempts: 2, backoff: { min: 20, max: 40 }, events: { Failed: { attempts: 1 } } },
    maxFailures: 1_000_000,
    ignoredEvents: Object.keys(Secrets.events),
    linger: "1 second",
    onReset: async ({ storeId, transaction }) => {
      log.reset(storeId)
      await storage.projection?.clear(transaction, storeId)
    },
    onHandlerFailure: ({ cause, entry, reason, storeId }) =>
      log.handler({ storeId, entry, conflicts: [] }, { failure: { reason, why: String(cause) } }),
    logger: silent
  })
