import { allowAll, type Backend, createEventLogServer, groupCompaction, keepLast } from "@eventlog-server/core"
import { schema, Todos } from "@eventlog-server/example-todo/schema"

/** How the server behaves. */
interface TodoServerOptions {
  readonly sessionAuth: "required" | "off"
  /** In milliseconds; `undefined` sends everything as it was written. */
  readonly compactOlderThan: number | undefined
}

const doNothing = () => {}

/** An event-log server that lets every mapped key read and write its store. Entries of unknown events are kept too. */
export const createServer = (backend: Backend, { compactOlderThan, sessionAuth }: TodoServerOptions) =>
  createEventLogServer({
    schema,
    handlers: {
      TodoAdded: doNothing,
      TodoRenamed: doNothing,
      TodoToggled: doNothing,
      TodoRemoved: doNothing
    },
    backend,
    compaction:
      compactOlderThan === undefined ? [] : [groupCompaction(Todos, { olderThan: compactOlderThan }, keepLast())],
    auth: allowAll,
    sessionAuth
  })

/** See `createServer`. */
export type TodoServer = ReturnType<typeof createServer>
