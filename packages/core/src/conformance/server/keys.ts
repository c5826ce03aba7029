import { Effect } from "effect"
import { expect } from "vitest"
import { freshName } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { Device } from "./device.ts"
import { makeNote } from "./notes.ts"
import { makeSigningKey, prove, type SigningKey } from "./proof.ts"
import type { Server } from "./server.ts"
import { openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

const refusedWrite = { _tag: "Error", requestTag: "WriteEntries", reason: "NotMapped", retryable: false }
const refusedRead = { _tag: "Error", requestTag: "RequestChanges", reason: "NotMapped", retryable: false }

export const keys: Topic = (check) => {
  check("open a store on every node once they are assigned on one", (nodes) =>
    Effect.gen(function* () {
      const { here, storeId, there } = yield* twoServers(nodes)
      const device = yield* Device.open(there, freshName("key"))
      expect(yield* device.write([makeNote()])).toMatchObject(refusedWrite)
      expect(yield* device.subscribe()).toMatchObject(refusedRead)
      yield* here.assign({ publicKey: device.publicKey, storeId })
      expect(yield* writeAcked(device, [makeNote()])).toEqual([1])
      expect(yield* device.subscribe()).toMatchObject({ _tag: "Subscribed", head: 1 })
    })
  )

  check("lose what they may do on every node when they are removed on one", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const [removed, kept] = [yield* openFollower(situation, there), yield* openFollower(situation, there)]
      yield* writeAcked(removed, [makeNote()])
      yield* removed.untilDelivered(1)

      yield* here.remove(removed.publicKey)
      expect(yield* removed.write([makeNote()])).toMatchObject(refusedWrite)
      expect(yield* removed.next("Error", ({ requestTag }) => requestTag === "RequestChanges")).toMatchObject(
        refusedRead
      )
      yield* writeAcked(yield* openDevice(situation, here), [makeNote()])
      yield* kept.untilDelivered(2)
      expect(removed.delivered).toHaveLength(1)
      expect(yield* removed.subscribe()).toMatchObject(refusedRead)
    })
  )

  check("keep to the signing key that was proved first, on whichever node", (nodes) =>
    Effect.gen(function* () {
      const { here, storeId, there } = yield* twoServers(nodes, { sessionAuth: "required" })
      for (let round = 0; round < 4 * nodes.scale; round++) {
        const publicKey = freshName("key")
        yield* here.assign({ publicKey, storeId })
        const signingKeys = [yield* makeSigningKey, yield* makeSigningKey]
        const proveOn = (server: Server) => (key: SigningKey) =>
          Effect.map(
            Effect.flatMap(Device.open(server, publicKey), (device) => prove(device, key)),
            ({ _tag }) => _tag
          )
        const [one = "Error", other = "Error"] = yield* Effect.forEach(
          signingKeys,
          (key, index) => proveOn(index === 0 ? here : there)(key),
          { concurrency: "unbounded" }
        )
        expect([one, other].toSorted()).toEqual(["Authenticated", "Error"])
        expect(yield* Effect.forEach(signingKeys, proveOn(here))).toEqual([one, other])
        expect(yield* Effect.forEach(signingKeys, proveOn(there))).toEqual([one, other])
      }
    })
  )
}
