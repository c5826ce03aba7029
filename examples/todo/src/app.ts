import { allowAll, type Backend, createEventLogServer, memoryProgress } from "@eventlog-server/core"
import type { PageFile } from "./pageFiles.ts"
import { schema } from "./schema.ts"
import { userOf } from "./session.ts"
import { TodoList } from "./TodoList.ts"

/** All devices of a user share one store. */
const storeOf = (user: string) => `user:${user}`

/** Who is logged in, or an error that refuses the request. */
export const requireUser = (cookies: string | undefined): string => {
  const user = userOf(cookies)
  if (user === undefined) throw new Error("Log in first")
  return user
}

/** The event-log server of the app, and what the backend itself does with todos. @param backend where the log is kept */
export const createTodoApp = (backend: Backend) => {
  const lists = new Map<string, TodoList>()
  const listOf = (storeId: string) => {
    const list = lists.get(storeId) ?? new TodoList()
    lists.set(storeId, list)
    return list
  }

  const server = createEventLogServer({
    schema,
    handlers: {
      TodoAdded: ({ storeId, payload, entry }) =>
        listOf(storeId).apply({ event: "TodoAdded", payload }, entry.idString),
      TodoRenamed: ({ storeId, payload, entry }) =>
        listOf(storeId).apply({ event: "TodoRenamed", payload }, entry.idString),
      TodoToggled: ({ storeId, payload, entry }) =>
        listOf(storeId).apply({ event: "TodoToggled", payload }, entry.idString),
      TodoRemoved: ({ storeId, payload, entry }) =>
        listOf(storeId).apply({ event: "TodoRemoved", payload }, entry.idString)
    },
    backend,
    // The lists are kept in memory: a server that starts builds them from the log.
    progress: memoryProgress,
    // A device proves its key first, and got its store from the user who was logged in then: its key is its permission,
    // until `server.remove(publicKey)`.
    auth: allowAll,
    enroll: ({ connection }) => storeOf(connection?.principal as string)
  })

  /** The backend writes an event of its own, which every device of the user sees. */
  const addTodo = async (user: string) => {
    const storeId = storeOf(user)
    const open = listOf(storeId)
      .items()
      .filter((todo) => !todo.done).length
    const text = `From the server, which counts ${open} open`
    return server.write({ storeId, event: "TodoAdded", payload: { id: crypto.randomUUID(), text } })
  }

  return { server, addTodo }
}

/** See `createTodoApp`. */
export type TodoApp = ReturnType<typeof createTodoApp>

/** Starts the app on a web framework. `port` 0 picks a free one; the answer says which. */
export type Start = (options: {
  readonly todos: TodoApp
  readonly files: ReadonlyMap<string, PageFile>
  readonly host: string
  readonly port: number
}) => Promise<{ readonly port: number; readonly close: () => Promise<void> }>
