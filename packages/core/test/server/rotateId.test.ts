import { Effect } from "effect"
import { expect, it } from "vitest"
import { FeedAdmin } from "../../src/backend/index.ts"
import { memoryBackend } from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

it("a new id of the backend reaches the devices that are connected, on every node: they are closed, and greeted with it", async () => {
  const backend = memoryBackend()
  const urls = [
    (await startServer({ backend, reauthorizeInterval: 20 })).url,
    (await startServer({ backend, reauthorizeInterval: 20 })).url
  ]
  const devices = await Promise.all(urls.map(openDevice))
  const { id: rotated } = await Effect.runPromise(
    Effect.provide(
      FeedAdmin.use((admin) => Effect.flatMap(admin.id, admin.rotateId)),
      backend.layer
    )
  )
  for (const device of devices) {
    expect(device.remoteId).not.toEqual(rotated)
    expect((await device.untilClosed()).code).toBe(1012)
  }

  const back = await Promise.all(urls.map(openDevice))
  for (const device of back) expect(device.remoteId).toEqual(rotated)
  // Those that know the id stay: some checks later they are still answered.
  for (let check = 0; check < 5; check++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (const device of back) await device.settled()
  }
})
