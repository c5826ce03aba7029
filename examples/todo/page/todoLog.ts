import { layerIdentity, layerJournalIndexedDb, Quarantine, quarantineIndexedDb } from "@eventlog-server/core/client"
import { Effect, Layer, ManagedRuntime, Option, Schema, Stream } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { schema, type TodoEvent, Todos } from "../src/schema.ts"
import { type Todo, TodoList } from "../src/TodoList.ts"
import { layerEffectSync } from "./effectSync.ts"
import { layerEventLogSync } from "./eventLogSync.ts"
import { PausableWebSocket } from "./PausableWebSocket.ts"
import { Sync } from "./Sync.ts"

// The list is read back from the journal, so the handlers have nothing to do. In an app with tables of its own they
// update those, with the last writer winning as in TodoList.
const handlers = EventLog.group(Todos, (handlers) =>
  handlers
    .handle("TodoAdded", () => Effect.void)
    .handle("TodoRenamed", () => Effect.void)
    .handle("TodoToggled", () => Effect.void)
    .handle("TodoRemoved", () => Effect.void)
)

// Says "todos changed" whenever the journal has a new event, whether it was written here or received.
const changes = EventLog.groupReactivity(Todos, ["todos"])

const decodeEvent = ({ event, payload }: EventJournal.Entry): TodoEvent | undefined => {
  const definition = Object.hasOwn(Todos.events, event) ? Todos.events[event] : undefined
  if (definition === undefined) return undefined
  const decoded = Schema.decodeUnknownOption(definition.payloadSchemaBinary)(payload)
  return Option.isSome(decoded) ? ({ event, payload: decoded.value } as TodoEvent) : undefined
}

const readTodos = Effect.gen(function* () {
  const journal = yield* EventJournal.EventJournal
  const list = new TodoList()
  for (const entry of yield* journal.entries) {
    const event = decodeEvent(entry)
    if (event !== undefined) list.apply(event, entry.idString)
  }
  return list.items()
})

/** The clients that the page can sync with. */
export const clients = { eventlog: layerEventLogSync, effect: layerEffectSync }

/**
 * Opens the user's event log in this browser: a journal in IndexedDB, and a client that keeps it in sync with the
 * server. It works without the server; what was written meanwhile is sent when there is a connection.
 */
export const openTodoLog = async (user: string, client: keyof typeof clients) => {
  const socket = new PausableWebSocket()
  const runtime = ManagedRuntime.make(
    clients[client](socket).pipe(
      Layer.provideMerge(EventLog.layer(schema, Layer.mergeAll(handlers, changes))),
      // What another version of this page wrote may be unreadable here: it waits for the upgrade, and nothing else does.
      Layer.provideMerge(
        Quarantine.layer({ storage: quarantineIndexedDb({ database: `todos of ${user}, set aside` }) })
      ),
      Layer.provideMerge([
        layerJournalIndexedDb({ database: `todos of ${user}` }),
        layerIdentity({ storage: localStorage, key: `todo-identity of ${user}` }),
        Reactivity.layer
      ])
    )
  )
  const sync = await runtime.runPromise(Sync)
  const writeEvent = await runtime.runPromise(EventLog.makeClient(schema))

  // The other tabs of this browser share the journal, and with it the cursor: what one has received isn't sent to another.
  const reactivity = await runtime.runPromise(Reactivity.Reactivity)
  const otherTabs = new BroadcastChannel(`todos of ${user}`)
  reactivity.registerUnsafe(["todos"], () => otherTabs.postMessage("changed"))
  otherTabs.addEventListener("message", () => reactivity.invalidateUnsafe(["other tabs"]))

  return {
    sync,
    write: (event: TodoEvent): Promise<void> => runtime.runPromise(writeEvent(event)),
    /** Calls back with the todos as the journal has them, now and after each change. */
    watch: (onTodos: (todos: ReadonlyArray<Todo>) => void): Promise<void> =>
      runtime.runPromise(
        readTodos.pipe(
          Reactivity.stream(["todos", "other tabs"]),
          Stream.runForEach((todos) => Effect.sync(() => onTodos(todos)))
        )
      ),
    /** Cuts the connection, or lets the client connect again. */
    setPaused: (paused: boolean) => {
      socket.setPaused(paused)
      if (!paused) runtime.runFork(sync.reconnect)
    }
  }
}
