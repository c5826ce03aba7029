import { openApp } from "@eventlog-server/testkit/devices"
import { AddedTodos, addedSchema } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { EventLog } from "effect/eventlog"

const handlers = EventLog.group(AddedTodos, (handlers) => handlers.handle("TodoAdded", () => Effect.void))

/** A new device with what the snippets' groups have in common, until the test is over. */
export const openDevice = async (url: string, headers: Record<string, string> = {}) => {
  const { until, write } = await openApp({ url, headers, schema: addedSchema, handlers })
  return { until, add: (text: string) => write({ event: "TodoAdded", payload: { id: text, text } }) }
}
