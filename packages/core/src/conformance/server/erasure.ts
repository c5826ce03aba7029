import { Effect } from "effect"
import { expect } from "vitest"
import { StoreErasedError } from "../../backend/StorageError.ts"
import { freshStoreId } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { makeNote, makeNotes, schema } from "./notes.ts"
import { openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

export const erasure: Topic = (check) => {
  check("of a store ends it on every node", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, storeId, there } = situation
      const followers = [yield* openFollower(situation, here), yield* openFollower(situation, there)]
      for (const device of followers) yield* writeAcked(device, makeNotes(2))
      for (const device of followers) yield* device.untilDelivered(4)

      yield* here.erase(storeId)
      for (const device of followers) {
        expect(yield* device.next("Error")).toMatchObject({ requestTag: "RequestChanges", retryable: false })
        expect(yield* device.write([makeNote()])).toMatchObject({ _tag: "Error", retryable: false })
        expect(yield* device.subscribe()).toMatchObject({ _tag: "Error", retryable: false })
      }
      const write = { schema, storeId, event: "NoteWritten", payload: { note: "note", text: "" } } as const
      for (const server of [here, there]) {
        expect(yield* Effect.flip(server.write(write))).toBeInstanceOf(StoreErasedError)
        expect(yield* Effect.flip(server.processed({ storeId, sequence: 5 }))).toBeInstanceOf(StoreErasedError)
      }
    })
  )

  check("leaves the devices of other stores alone", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const other = { ...situation, storeId: freshStoreId() }
      const erased = yield* openFollower(situation, there)
      const kept = yield* openFollower(other, there)
      yield* writeAcked(erased, makeNotes(1))
      yield* writeAcked(kept, makeNotes(1))
      yield* here.erase(situation.storeId)
      yield* erased.next("Error")
      yield* writeAcked(yield* openDevice(other, here), makeNotes(1))
      yield* kept.untilDelivered(2)
    })
  )
}
