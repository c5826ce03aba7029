import { Deferred, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshName, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { away } from "./away.ts"
import { Device } from "./device.ts"
import { makeNote, makeNotes } from "./notes.ts"
import type { Server } from "./server.ts"
import { expectGapless, openDevice, openFollower, type Situation, twoServers, writeAcked } from "./situation.ts"

/** One attempt to write a batch: the sequences, or `undefined` where it was refused for now. */
type Write = (entries: ReadonlyArray<EventJournal.Entry>) => Effect.Effect<ReadonlyArray<number> | undefined, unknown>

const deviceWrite =
  (device: Device): Write =>
  (entries) =>
    Effect.map(device.write(entries), (answer) => {
      if (answer._tag === "Ack") return answer.sequenceNumbers
      expect(answer).toMatchObject({ requestTag: "WriteEntries", retryable: true })
      return undefined
    })

/** The server's own writes ask nobody, so they are what meets the storage in the middle of a commit. */
const serverWrite =
  (server: Server, storeId: StoreId): Write =>
  (entries) =>
    server.writeToStore({ storeId, entries }).pipe(
      Effect.map(({ sequenceNumbers }) => sequenceNumbers),
      Effect.catch((error) => {
        expect(error).toMatchObject({ _tag: "StorageError", retryable: true })
        return Effect.succeed(undefined)
      })
    )

/** Writes as a device does: a batch that was refused for now is sent again until it is acknowledged. */
const writeUntilAcked = Effect.fnUntraced(function* (write: Write, entries: ReadonlyArray<EventJournal.Entry>) {
  while (true) {
    const sequences = yield* write(entries)
    if (sequences !== undefined) return sequences
    yield* Effect.sleep(20)
  }
})

/** Has every writer write batches, one after the other, until told to stop; answers what was acknowledged as what. */
const writeOn = (writers: ReadonlyArray<Write>, isOver: () => boolean) =>
  Effect.forEach(
    writers,
    (write) =>
      Effect.gen(function* () {
        const acked: Array<readonly [sequence: number, id: string]> = []
        while (!isOver()) {
          const notes = makeNotes(3)
          const sequences = yield* writeUntilAcked(write, notes)
          acked.push(...notes.map((entry, index) => [sequences[index] ?? Number.NaN, entry.idString] as const))
          yield* Effect.sleep(1)
        }
        return acked
      }),
    { concurrency: "unbounded" }
  )

const openOnBoth = (situation: Situation) =>
  Effect.forEach([situation.here, situation.there], (server) => openFollower(situation, server))

export const outage: Topic = (check) => {
  check(
    "loses nothing that was acknowledged, and stores nothing twice",
    (nodes) =>
      Effect.gen(function* () {
        const situation = yield* twoServers(nodes)
        const { here, storeId, there } = situation
        const devices = yield* openOnBoth(situation)
        const writers = [...devices.map(deviceWrite), serverWrite(here, storeId), serverWrite(there, storeId)]
        let isOver = false
        const course = Effect.gen(function* () {
          for (const device of devices) yield* device.untilDelivered(10)
          yield* away(nodes, Effect.sleep(100))
          for (const device of devices) yield* device.untilDelivered(device.delivered.length + 10)
          isOver = true
        })
        const [written] = yield* Effect.all([writeOn(writers, () => isOver), course], { concurrency: "unbounded" })
        const acked = written.flat().toSorted(([a], [b]) => a - b)
        for (const device of devices) {
          const ids = expectGapless(yield* device.untilDelivered(acked.length))
          expect(ids.map((id, index) => [index + 1, id])).toEqual(acked)
        }
      }),
    "outage"
  )

  check(
    "ends no subscription",
    (nodes) =>
      Effect.gen(function* () {
        const situation = yield* twoServers(nodes)
        const devices = yield* openOnBoth(situation)
        const [writer = yield* Effect.die("no device")] = devices
        const ids: Array<string> = []
        for (const round of range(1, 3)) {
          const notes = makeNotes(2)
          yield* away(nodes, Effect.sleep(100))
          yield* writeUntilAcked(deviceWrite(writer), notes)
          ids.push(...notes.map((entry) => entry.idString))
          for (const device of devices) expect(expectGapless(yield* device.untilDelivered(2 * round))).toEqual(ids)
        }
      }),
    "outage"
  )

  check(
    "refuses for now, or keeps waiting, what is asked while it lasts",
    (nodes) =>
      Effect.gen(function* () {
        const situation = yield* twoServers(nodes)
        const device = yield* openDevice(situation, situation.there)
        const unknown = yield* Device.open(situation.there, freshName("key"))
        yield* writeAcked(device, makeNotes(2))
        yield* away(
          nodes,
          Effect.gen(function* () {
            const requests = [device.write([makeNote()]), device.subscribe(), unknown.write([makeNote()])]
            const waiting = yield* Effect.forEach(requests, (request) => Effect.forkScoped(request))
            yield* Effect.sleep(100)
            for (const fiber of waiting) {
              const answered = fiber.pollUnsafe()
              // A storage that can't be asked must not be taken for one that doesn't know the key.
              if (answered !== undefined) expect(yield* answered).toMatchObject({ _tag: "Error", retryable: true })
            }
          })
        )
        yield* writeUntilAcked(deviceWrite(device), [makeNote()])
      }),
    "outage"
  )

  check(
    "holds the handlers up, and no more",
    (nodes) =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        const isDone = yield* Deferred.make<void>()
        const situation = yield* twoServers(nodes, {
          handle: ({ storeId, text }) =>
            Effect.gen(function* () {
              if (storeId !== situation.storeId) return
              yield* Effect.sleep(1)
              seen.add(text)
              if (seen.size === 30) yield* Deferred.succeed(isDone, undefined)
            })
        })
        const { here, storeId, there } = situation
        const write = deviceWrite(yield* openDevice(situation, here))
        for (const first of [1, 11, 21]) {
          yield* writeUntilAcked(write, makeNotes(10, first))
          yield* away(nodes, Effect.sleep(50))
        }
        // Nobody asks: it goes on by itself.
        yield* Deferred.await(isDone)
        expect([...seen]).toEqual(range(1, 30).map(String))
        for (const server of [here, there]) yield* server.processed({ storeId, sequence: 30 })
      }),
    "outage"
  )
}
