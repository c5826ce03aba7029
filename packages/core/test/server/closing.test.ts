import { Wire } from "@eventlog-server/testkit/devices"
import { withFeedStore } from "@eventlog-server/testkit/faults"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { Deferred, Effect } from "effect"
import { expect, it } from "vitest"
import { memoryBackend } from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"

it("answers what was accepted, refuses what comes later, closes with 1012, and may be closed twice", async () => {
  const gate = Deferred.makeUnsafe<void>()
  const backend = withFeedStore(memoryBackend(), (store) => ({
    append: (storeId, records) => Effect.andThen(Deferred.await(gate), store.append(storeId, records))
  }))
  const { server, url } = await startServer({ backend })
  await server.assign({ publicKey: "A", storeId })
  const device = await openDevice(url)
  const accepted = device.write("A", [todoAdded("a")])
  await device.settled()
  const closing = Promise.all([server.close(), server.close()])
  const late = device.write("A", [todoAdded("b")])
  expect(await late).toMatchObject({ code: "Unavailable", reason: "ShuttingDown", retryable: true })
  Effect.runSync(Deferred.succeed(gate, undefined))
  expect(await accepted).toMatchObject({ sequenceNumbers: [1] })
  expect(await device.untilClosed()).toMatchObject({ code: 1012 })
  await closing
  await expect(openDevice(url)).rejects.toThrow()
})

it("leaves the backend that it was given open", async () => {
  const backend = memoryBackend()
  const first = await startServer({ backend })
  await first.server.assign({ publicKey: "A", storeId })
  await (await openDevice(first.url)).write("A", [todoAdded("a")])
  await first.server.close()
  const second = await startServer({ backend })
  expect(await (await openDevice(second.url)).write("A", [todoAdded("b")])).toMatchObject({ sequenceNumbers: [2] })
})

it("resolves when the sockets are gone, and not before", async () => {
  const { server } = await startServer({ closeTimeout: "1 minute" })
  const wire = new Wire(server, { isMute: true })
  await Effect.runPromise(wire.nth("Hello"))
  let isClosed = false
  const closed = server.close().then(() => {
    isClosed = true
  })
  await expect.poll(() => wire.closes).toMatchObject([{ code: 1012 }])
  await new Promise((resolve) => setImmediate(resolve))
  expect(isClosed).toBe(false)
  wire.cut()
  await closed
  expect(wire.isTerminated).toBe(false)
})

it("ends the sockets of peers that answer no close", async () => {
  const { server } = await startServer({ closeTimeout: 20 })
  const wire = new Wire(server, { isMute: true })
  await Effect.runPromise(wire.nth("Hello"))
  await server.close()
  expect(wire.isTerminated).toBe(true)
})
