import { schema, silent, Todos } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { EventLog } from "effect/eventlog"
import { expect, it, onTestFinished, vi } from "vitest"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  InsideTransactionError,
  type KeptFailure,
  memoryBackend,
  type ServerOptions
} from "../../src/index.ts"

const storeId = "store"

const start = async (
  handlers: CreateEventLogServerOptions<typeof Todos>["handlers"],
  backend = memoryBackend(),
  options: ServerOptions = {}
) => {
  const server = createEventLogServer({
    schema,
    handlers,
    backend,
    auth: allowAll,
    logger: silent,
    ...options
  })
  onTestFinished(() => server.close())
  await server.stats()
  const add = (id: string) => server.write({ storeId, event: "TodoAdded", payload: { id, text: "" } })
  return { server, add, backend }
}

const soon = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 20 })

const placesOf = (failures: ReadonlyArray<KeptFailure>) =>
  failures.map((failure) => [failure.storeId, failure.sequence])

it("an event without a handler is told of, kept, and handled by the deploy that has one", async () => {
  const onHandlerFailure = vi.fn()
  // JavaScript checks no types, and what a layer lacks is known when an entry needs it.
  const half = EventLog.group(Todos, (handlers) => handlers.handle("TodoToggled", () => Effect.void) as never)
  const before = await start(half, memoryBackend(), { onHandlerFailure })
  await before.add("a")
  await before.server.processed({ storeId, sequence: 1 })
  expect(onHandlerFailure.mock.calls).toMatchObject([[{ reason: "NoHandler", sequence: 1 }]])
  expect(await before.server.failures()).toMatchObject([
    { storeId, sequence: 1, event: "TodoAdded", reason: "NoHandler" }
  ])
  await before.server.close()
  const handled: Array<string> = []
  const after = await start(
    { TodoAdded: ({ payload }) => void handled.push(payload.id), TodoToggled: () => {} },
    before.backend
  )
  await soon(async () => expect(await after.server.failures()).toEqual([]))
  expect(handled).toEqual(["a"])
})

it("failures are listed page by page, tried again, and discarded", async () => {
  const handled: Array<string> = []
  let isDown = true
  const { add, server } = await start({
    TodoAdded: ({ payload }) => {
      if (isDown && payload.id !== "fine")
        throw Object.assign(new Error("the mail server is down"), { retryable: false })
      handled.push(payload.id)
    },
    TodoToggled: () => {}
  })
  for (const id of ["a", "fine", "b", "c", "d"]) await add(id)
  await server.processed({ storeId, sequence: 5 })
  const first = await server.failures({ limit: 2 })
  expect(placesOf(first)).toEqual([
    [storeId, 1],
    [storeId, 3]
  ])
  expect(first[0]).toMatchObject({ message: "the mail server is down", author: null, attempts: 1, isDue: false })
  expect(placesOf(await server.failures({ storeId, after: first[1]! }))).toEqual([
    [storeId, 4],
    [storeId, 5]
  ])
  expect(await server.failures({ storeId: "other" })).toEqual([])
  await server.discardFailure({ storeId, sequence: 1 })
  isDown = false
  await server.retryFailure({ storeId, sequence: 4 })
  await soon(async () => expect(await server.failures()).toHaveLength(2))
  expect(await server.retryFailures({ reason: "TimedOut" })).toBe(0)
  expect(await server.retryFailures({ storeId, reason: "HandlerFailed" })).toBe(2)
  await soon(async () => expect(await server.failures()).toEqual([]))
  expect(handled).toEqual(["fine", "c", "b", "d"])
})

it("a handler is tried three times before its entry counts as failed", async () => {
  let attempts = 0
  const { add, server } = await start({
    TodoAdded: () => {
      attempts++
      return Promise.reject(new Error("no"))
    },
    TodoToggled: () => {}
  })
  await add("a")
  await server.processed({ storeId, sequence: 1 })
  expect(attempts).toBe(3)
  expect(await server.failures()).toMatchObject([{ attempts: 1, message: "no" }])
})

it("can't be asked for by a handler in a transaction", async () => {
  const backend = {
    ...memoryBackend(),
    transactions: { enter: <A>(_: undefined, call: () => A) => call(), isInside: () => true }
  }
  const { server } = await start({ TodoAdded: () => {}, TodoToggled: () => {} }, backend)
  for (const asked of [server.failures(), server.retryFailures(), server.discardFailure({ storeId, sequence: 1 })]) {
    await expect(asked).rejects.toBeInstanceOf(InsideTransactionError)
  }
})

it("handlers are told that they see a feed again, of one store or of all", async () => {
  const seen: Array<readonly [string, boolean]> = []
  const resets: Array<unknown> = []
  const { add, server } = await start(
    { TodoAdded: ({ isReplay, payload }) => void seen.push([payload.id, isReplay]), TodoToggled: () => {} },
    memoryBackend(),
    { onReset: ({ from, storeId, transaction }) => resets.push([storeId, from, transaction]) }
  )
  await add("a")
  await add("b")
  await server.write({ storeId: "other", event: "TodoAdded", payload: { id: "c", text: "" } })
  await server.processed({ storeId, sequence: 2 })
  await server.processed({ storeId: "other", sequence: 1 })
  seen.length = 0
  expect(await server.reprocess({ storeId, from: 2 })).toBe(1)
  await server.processed({ storeId, sequence: 2 })
  expect(seen).toEqual([["b", true]])
  expect(resets[0]).toEqual([storeId, 2, undefined])
  seen.length = 0
  expect(await server.reprocess()).toBe(2)
  await server.processed({ storeId, sequence: 2 })
  await server.processed({ storeId: "other", sequence: 1 })
  expect(seen.toSorted()).toEqual([
    ["a", true],
    ["b", true],
    ["c", true]
  ])
})
