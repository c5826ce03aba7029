// Compiled by `npm run typecheck`: each line below `@ts-expect-error` must not compile, everything else must.

import { schema } from "@eventlog-server/testkit/schema"
import { allowAll, createEventLogServer, memoryBackend } from "../../src/index.ts"

const base = { schema, backend: memoryBackend(), auth: allowAll }

const server = createEventLogServer({
  ...base,
  handlers: {
    TodoAdded: async ({ author, conflicts, entry, payload, signal, storeId }) => {
      const text: string = payload.text
      const earlier: ReadonlyArray<string> = conflicts.map(({ payload }) => payload.text)
      const known: readonly [string, string | null, string, AbortSignal] = [storeId, author, entry.idString, signal]
      return [text, earlier, known]
    },
    // @ts-expect-error the payload has no such field
    TodoToggled: ({ payload }) => payload.text
  }
})

server.write({ storeId: "s", event: "TodoAdded", payload: { id: "a", text: "" } })
server.write({ storeId: "s", event: "TodoToggled", payload: { id: "a", done: true }, runHandlers: false })

// @ts-expect-error a field of the payload is missing
server.write({ storeId: "s", event: "TodoAdded", payload: { id: "a" } })
// @ts-expect-error the payload of another event
server.write({ storeId: "s", event: "TodoToggled", payload: { id: "a", text: "" } })
// @ts-expect-error the schema has no such event
server.write({ storeId: "s", event: "TodoEaten", payload: { id: "a" } })

createEventLogServer({
  ...base,
  // @ts-expect-error TodoToggled is not handled
  handlers: { TodoAdded: () => {} }
})

createEventLogServer({
  ...base,
  // @ts-expect-error the schema has no such event
  handlers: { TodoAdded: () => {}, TodoToggled: () => {}, TodoEaten: () => {} }
})

// @ts-expect-error auth must be written out
createEventLogServer({ schema, backend: memoryBackend(), handlers: { TodoAdded: () => {}, TodoToggled: () => {} } })
