import { todosAdded } from "@eventlog-server/testkit/schema"
import { Effect, Metric } from "effect"
import { expect, it } from "vitest"
import * as metrics from "../../src/connection/metrics.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"
const encodings = () => Effect.runSync(Metric.value(metrics.encodedEntries)).count

it("encodes an entry once for 50 subscribers", async () => {
  const { server, url } = await startServer()
  await server.assign({ publicKey: "A", storeId })
  const subscribers = await Promise.all(Array.from({ length: 50 }, () => openDevice(url)))
  for (const device of subscribers) await device.subscribe("A")
  for (const device of subscribers) await device.next("CaughtUp")
  const before = encodings()
  const writer = subscribers[0]!
  for (let batch = 0; batch < 10; batch++) await writer.write("A", todosAdded(10, `${batch} `))
  const delivered = await Promise.all(subscribers.map((device) => device.untilDelivered("A", 100)))
  expect(delivered.every((entries) => entries.every(({ remoteSequence }, index) => remoteSequence === index + 1))).toBe(
    true
  )
  expect(Number(encodings()) - Number(before)).toBe(100)
})
