import { openSync, writeSync } from "node:fs"
import type { HandlerInput } from "@eventlog-server/core"
import { machineTime } from "../machineTime.ts"
import { idOf } from "../seen.ts"
import type { HandlerLine, Settings } from "./commands.ts"

type Input = Pick<HandlerInput<unknown>, "storeId" | "entry" | "conflicts">

/**
 * Writes a line for each run of a handler, before anything else is done for it. All servers append to one file, so that
 * their lines stand in the order in which handlers ran; what is written survives a kill. Each begins on a line of its
 * own, since a kill can cut off the one before.
 */
export const makeHandlerLog = ({ handlerLog, run }: Pick<Settings, "handlerLog" | "run">) => {
  const file = openSync(handlerLog, "a")
  return ({ conflicts, entry, storeId }: Input, about: Pick<HandlerLine, "failure" | "flunked"> = {}): void => {
    const line: HandlerLine = {
      time: machineTime(),
      store: storeId,
      run,
      id: idOf(entry.id),
      conflicts: conflicts.map((conflict) => idOf(conflict.entry.id)),
      ...about
    }
    writeSync(file, `\n${JSON.stringify(line)}`)
  }
}
