import { withFeedStore } from "@eventlog-server/testkit/faults"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { Effect, Stream } from "effect"
import { expect, it } from "vitest"
import { memoryBackend } from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"

it("what was committed here is sent and handled without being read back", async () => {
  let reads = 0
  const backend = withFeedStore(memoryBackend(), (store) => ({
    read: (storeId, from, limits, known) => {
      reads++
      return store.read(storeId, from, limits, known)
    }
  }))
  const handled: Array<string> = []
  const handlers = { TodoAdded: ({ payload }: { payload: { id: string } }) => void handled.push(payload.id) }
  const { server, url } = await startServer({ backend, handlers: { ...handlers, TodoToggled: () => {} } })
  await server.assign({ publicKey: "A", storeId })
  const [writer, reader] = [await openDevice(url), await openDevice(url)]
  await reader.subscribe("A")
  await reader.next("CaughtUp")
  await writer.write("A", [todoAdded("0")])
  await reader.untilDelivered("A", 1)
  await server.processed({ storeId, sequence: 1 })
  const before = reads
  for (let number = 1; number <= 20; number++) await writer.write("A", [todoAdded(`${number}`)])
  const delivered = await reader.untilDelivered("A", 21)
  await server.processed({ storeId, sequence: 21 })
  expect(delivered.map(({ remoteSequence }) => remoteSequence)).toEqual(
    Array.from({ length: 21 }, (_, index) => index + 1)
  )
  expect(handled).toEqual(Array.from({ length: 21 }, (_, index) => `${index}`))
  // The tail and the holder of the lease look once when they begin to listen.
  expect(reads - before).toBeLessThanOrEqual(2)
})

it("a wake-up that tells a head is looked at no further where that head was sent", async () => {
  let reads = 0
  const backend = withFeedStore(memoryBackend(), (store) => ({
    read: (storeId, from, limits, known) => {
      reads++
      return store.read(storeId, from, limits, known)
    },
    // Wake-ups that come late and twice, as those of a database do.
    wakeups: (storeId) =>
      Stream.flatMap(store.wakeups(storeId), (wakeup) =>
        Stream.make(wakeup, wakeup).pipe(Stream.tap(() => Effect.sleep(5)))
      )
  }))
  const { server, url } = await startServer({ backend })
  await server.assign({ publicKey: "A", storeId })
  const device = await openDevice(url)
  await device.subscribe("A")
  await device.next("CaughtUp")
  const before = reads
  for (let number = 0; number < 20; number++) await device.write("A", [todoAdded(`${number}`)])
  expect(await device.untilDelivered("A", 20)).toHaveLength(20)
  await server.processed({ storeId, sequence: 20 })
  await device.settled()
  // The first wake-up of a listener says no head, and comes twice here; there are two: the tail and the holder of the lease.
  expect(reads - before).toBeLessThanOrEqual(4)
})
