import { Effect, Fiber } from "effect"
import { expect } from "vitest"
import { freshStoreId, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { Device } from "./device.ts"
import { makeNote, makeNotes, schema } from "./notes.ts"
import { expectGapless, openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

export const delivery: Topic = (check) => {
  check("brings what is written on one node to the subscribers of both, in its place", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, storeId, there } = situation
      const devices = [yield* openFollower(situation, here), yield* openFollower(situation, there)] as const
      const batches = range(1, 6).map((first) => makeNotes(3, first))
      const written: Array<string> = []
      for (const [index, batch] of batches.entries()) {
        yield* writeAcked(devices[index % 2 === 0 ? 0 : 1], batch)
        written.push(...batch.map((entry) => entry.idString))
        // Each batch is there before the next one, so that none can ride on another one's wake-up.
        for (const device of devices)
          expect(expectGapless(yield* device.untilDelivered(written.length))).toEqual(written)
      }
      yield* there.write({ schema, storeId, event: "NoteWritten", payload: { note: "server", text: "" } })
      for (const device of devices) {
        const delivered = yield* device.untilDelivered(written.length + 1)
        expectGapless(delivered)
        expect(delivered.at(-1)?.entry.primaryKey).toBe("server")
      }
    })
  )

  check("brings what many write on both nodes at once to everybody alike", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const servers = range(1, 8).map((index) => (index % 2 === 0 ? here : there))
      const devices = yield* Effect.forEach(servers, (server) => openFollower(situation, server))
      const batches = range(1, 4 * nodes.scale).map((size) => 1 + (size % 3))
      yield* Effect.forEach(
        devices,
        (device) => Effect.forEach(batches, (size) => writeAcked(device, makeNotes(size))),
        { concurrency: "unbounded" }
      )
      const count = devices.length * batches.reduce((sum, size) => sum + size, 0)
      const [first, ...others] = yield* Effect.forEach(devices, (device) => device.untilDelivered(count))
      const ids = expectGapless(first ?? [])
      expect(new Set(ids).size).toBe(count)
      for (const other of others) expect(expectGapless(other)).toEqual(ids)
    })
  )

  check("goes on at the other node where a device was cut", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const writer = yield* openDevice(situation, there)
      const { publicKey } = yield* openDevice(situation, here)
      const ids: Array<string> = []
      for (const round of range(0, 5)) {
        const notes = makeNotes(4)
        yield* writeAcked(writer, notes)
        const device = yield* Device.open(round % 2 === 0 ? here : there, publicKey)
        const answer = yield* device.subscribe(ids.length + 1)
        expect(answer).toMatchObject({ _tag: "Subscribed", head: ids.length + notes.length })
        ids.push(...expectGapless(yield* device.untilDelivered(notes.length), ids.length + 1))
        yield* device.cut
        expect(ids.slice(-notes.length)).toEqual(notes.map((entry) => entry.idString))
      }
    })
  )

  check("leaves no seam between the history and what comes, whenever a device subscribes", (nodes) =>
    Effect.gen(function* () {
      const { here, there } = yield* twoServers(nodes)
      for (const round of range(1, 8 * nodes.scale)) {
        const situation = { here, there, storeId: freshStoreId() }
        const [writer, reader] = [yield* openDevice(situation, here), yield* openDevice(situation, there)]
        yield* writeAcked(writer, makeNotes(round))
        const writing = yield* Effect.forkChild(
          Effect.forEach(range(1, 5), () => writeAcked(writer, [makeNote()])),
          { startImmediately: true }
        )
        yield* reader.subscribe(round)
        expectGapless(yield* reader.untilDelivered(6), round)
        yield* Fiber.join(writing)
      }
    })
  )
}
