import {
  allowAll,
  createEventLogServer,
  groupCompaction,
  type HandlerInput,
  keepLast,
  refuse
} from "@eventlog-server/core"
import { silent } from "@eventlog-server/testkit/schema"
import { Notes, serverSchema } from "../schema.ts"
import { idOf } from "../seen.ts"
import type { makeHandlerLog } from "./handlerLog.ts"
import type { OpenStorage } from "./storages/openStorage.ts"

/** Handlers that write down that they ran, and project what they ran for where they share a transaction. */
const makeHandlers = ({ projection }: OpenStorage, log: ReturnType<typeof makeHandlerLog>) => {
  const handle = async (input: HandlerInput<unknown, unknown>): Promise<void> => {
    log(input)
    await projection?.add(input.transaction, input.storeId, idOf(input.entry.id))
  }
  return {
    Added: handle,
    Changed: handle,
    Noted: handle,
    Failed: async (input: HandlerInput<unknown, unknown>) => {
      await handle(input)
      throw new Error("this handler always fails")
    },
    Hung: async (input: HandlerInput<unknown, unknown>) => {
      await handle(input)
      await new Promise<never>(() => {})
    }
  }
}

/** A server that is quick to look after everything, and writes down which handlers it ran. */
export const createServer = (storage: OpenStorage, log: ReturnType<typeof makeHandlerLog>) =>
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
    onHandlerFailure: ({ cause, entry, reason, storeId }) =>
      log({ storeId, entry, conflicts: [] }, { reason, why: String(cause) }),
    logger: silent
  })
