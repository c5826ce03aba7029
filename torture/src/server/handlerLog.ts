import { openSync, writeSync } from "node:fs"
import type { HandlerInput } from "@eventlog-server/core"
import { machineTime } from "../machineTime.ts"
import { idOf } from "../seen.ts"
import type { HandlerLine, Settings } from "./commands.ts"

type Input = Pick<HandlerInput<unknown>, "storeId" | "entry" | "conflicts">

/** Where servers write down what they do with entries. */
export interface HandlerLog {
  /** A handler ran, or was taken for failed. */
  readonly handler: (input: Input, about?: Pick<HandlerLine, "failure" | "flunked">) => void
  /** What handlers made of a store is being emptied. */
  readonly reset: (storeId: string) => void
}

/**
 * Writes a line for each run of a handler, before anything else is done for it. All servers append to one file, so that
 * their lines stand in the order in which handlers ran; what is written survives a kill. Each begins on a line of its
 * own, since a kill can cut off the one before.
 */
export const makeHandlerLog = ({ handlerLog, run }: Pick<Settings, "handlerLog" | "run">): HandlerLog => {
  const file = openSync(handlerLog, "a")
  const write = (line: Omit<HandlerLine, "run" | "time">): void => {
    writeSync(file, `\n${JSON.stringify({ time: machineTime(), run, ...line } satisfies HandlerLine)}`)
  }
  return {
    handler: ({ conflicts, entry, storeId }, about = {}) =>
      write({
        store: storeId,
        id: idOf(entry.id),
        conflicts: conflicts.map((conflict) => idOf(conflict.entry.id)),
        ...about
      }),
    reset: (storeId) => write({ store: storeId, id: "", conflicts: [], reset: true })
  }
}
