import { schema } from "@eventlog-server/testkit/schema"
import { Context, Deferred, Effect, Layer } from "effect"
import { expect, it, onTestFinished } from "vitest"
import { type BackendServices, FeedAdmin } from "../../src/backend/index.ts"
import { allowAll, type Backend, createEventLogServer, memoryBackend, StorageError } from "../../src/index.ts"

const noTables = new StorageError({ operation: "FeedAdmin.check", retryable: false, cause: "?", advice: "Make tables" })

const makeServer = (backend: Backend, healthTimeout = 5_000) => {
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: () => {}, TodoToggled: () => {} },
    backend,
    auth: allowAll,
    healthTimeout
  })
  onTestFinished(() => server.close())
  return server
}

/** Memory, whose state a look finds as the test wants it. */
const found = (check: Effect.Effect<void, StorageError>): Backend => ({
  layer: Layer.effectContext(
    Effect.map(
      Layer.build(memoryBackend().layer),
      (services): Context.Context<BackendServices> =>
        Context.add(services, FeedAdmin, { ...Context.get(services, FeedAdmin), check })
    )
  )
})

it("looks again each time that it is asked", async () => {
  let answer: Effect.Effect<void, StorageError> = Effect.fail(noTables)
  const server = makeServer(found(Effect.suspend(() => answer)))
  await expect(server.ready()).rejects.toBe(noTables)
  expect(await server.health()).toEqual({ status: "unavailable", error: noTables })
  answer = Effect.void
  await server.ready()
  expect(await server.health()).toEqual({ status: "ok" })
  answer = Effect.fail(noTables)
  await expect(server.ready()).rejects.toBe(noTables)
})

it("lets all who ask at the same time share one look, and the next ones have one of their own", async () => {
  let looks = 0
  const gate = Deferred.makeUnsafe<void>()
  const server = makeServer(
    found(
      Effect.andThen(
        Effect.sync(() => void looks++),
        Deferred.await(gate)
      )
    )
  )
  const asked = [server.ready(), server.health(), server.health()]
  await expect.poll(() => looks).toBe(1)
  Effect.runSync(Deferred.succeed(gate, undefined))
  await Promise.all(asked)
  expect(looks).toBe(1)
  await server.ready()
  expect(looks).toBe(2)
})

const silences: ReadonlyArray<[string, Backend]> = [
  ["doesn't answer", found(Effect.never)],
  ["doesn't open", { layer: Layer.unwrap(Effect.never) }]
]

it.each(silences)("waits no longer than healthTimeout for a storage that %s", async (_, backend) => {
  const server = makeServer(backend, 10)
  await expect(server.ready()).rejects.toThrow(
    'FeedAdmin.check failed for now: "no answer within 10ms". See whether the storage is running'
  )
  expect(await server.health()).toMatchObject({ status: "unavailable", error: { _tag: "StorageError" } })
})

it("doesn't reject where a look dies", async () => {
  const server = makeServer(found(Effect.die(noTables)))
  expect(await server.health()).toEqual({ status: "unavailable", error: noTables })
})

it("says that it is closing, from the moment on when it was asked to", async () => {
  const server = makeServer(memoryBackend())
  await server.ready()
  const closed = server.close()
  expect(await server.health()).toEqual({ status: "draining" })
  await closed
  expect(await server.health()).toEqual({ status: "draining" })
  await expect(server.ready()).rejects.toMatchObject({ reason: "ShuttingDown" })
})
