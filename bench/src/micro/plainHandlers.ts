import { allowAll, createEventLogServer, memoryBackend } from "@eventlog-server/core"
import { FeedStore, StoreId } from "@eventlog-server/core/backend"
import { schema } from "@eventlog-server/example-todo/schema"
import { Effect, ManagedRuntime } from "effect"
import { makeEntries } from "./entries.ts"

const size = 1_000
const storeId = StoreId.make("store")
const doNothing = () => {}

/** Has another node append entries, and waits until this one's handlers, plain functions, ran. */
export const makePlainHandlers = async () => {
  const backend = memoryBackend()
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: doNothing, TodoRenamed: doNothing, TodoToggled: doNothing, TodoRemoved: doNothing },
    backend,
    auth: allowAll
  })
  await server.ready()
  const { runPromise } = ManagedRuntime.make(backend.layer)
  const append = () =>
    runPromise(
      Effect.flatMap(FeedStore, (feeds) => {
        const entries = makeEntries(size, size)
        return feeds.append(
          storeId,
          entries.map((entry) => ({ entry, author: null, transportOnly: false }))
        )
      })
    )
  return async () => {
    const appended = await append()
    await server.processed({ storeId, sequence: appended.at(-1)!.sequence })
    return size
  }
}
