import { allowAll, createEventLogServer, memoryBackend, memoryProgress } from "@eventlog-server/core"
import { FeedStore, StoreId } from "@eventlog-server/core/backend"
import { schema } from "@eventlog-server/example-todo/schema"
import { Effect, ManagedRuntime } from "effect"
import { makeEntries } from "./entries.ts"

const size = 50_000
const keys = 1_000
/** Entries that are appended together. */
const batch = 1_000
const storeId = StoreId.make("store")

/** Appends the entries to a backend, as another node would. */
const fill = Effect.fnUntraced(function* () {
  const feeds = yield* FeedStore
  const records = makeEntries(size, keys).map((entry) => ({ entry, author: null, transportOnly: false }))
  for (let from = 0; from < size; from += batch) yield* feeds.append(storeId, records.slice(from, from + batch))
})

/**
 * Starts a server whose handlers, plain functions, have not seen a feed yet, and waits until they saw all of it. What makes
 * and appends the entries isn't measured: their ids alone take longer than their handling.
 */
export const makePlainHandlers = async () => {
  const backend = memoryBackend()
  await ManagedRuntime.make(backend.layer).runPromise(fill())
  return async () => {
    let handled = 0
    const handle = () => {
      handled++
    }
    const server = createEventLogServer({
      schema,
      handlers: { TodoAdded: handle, TodoRenamed: handle, TodoToggled: handle, TodoRemoved: handle },
      backend,
      progress: memoryProgress,
      auth: allowAll
    })
    await server.processed({ storeId, sequence: size })
    await server.close()
    if (handled !== size) throw new Error(`${handled} of ${size} entries were handled`)
    return size
  }
}
