import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshName, freshStoreId, range } from "../fixtures.ts"
import type { Nodes } from "../harness.ts"
import { Device } from "./device.ts"
import { type Server, type Setup, startServer } from "./server.ts"

/** Two servers on one backend, and a store that nobody has written to. */
export interface Situation {
  readonly here: Server
  readonly there: Server
  readonly storeId: StoreId
}

/** Starts a server on each node. @param thereSetup of the second one @default that of the first one */
export const twoServers = Effect.fnUntraced(function* (
  { node, peer }: Nodes,
  setup: Setup = {},
  thereSetup: Setup = setup
) {
  const situation: Situation = {
    here: yield* startServer(node, setup),
    there: yield* startServer(peer, thereSetup),
    storeId: freshStoreId()
  }
  return situation
})

/** A device of the store, with a key of its own, that is connected to one of the servers. */
export const openDevice = Effect.fnUntraced(function* ({ here, storeId }: Situation, server: Server) {
  const publicKey = freshName("key")
  yield* here.assign({ publicKey, storeId })
  return yield* Device.open(server, publicKey)
})

/** A device that follows the store from its beginning. */
export const openFollower = (situation: Situation, server: Server) =>
  Effect.tap(openDevice(situation, server), (device) =>
    Effect.map(device.subscribe(), (answer) => expect(answer._tag).toBe("Subscribed"))
  )

/** The answer to a write that must be acknowledged. */
export const writeAcked = Effect.fnUntraced(function* (device: Device, entries: ReadonlyArray<EventJournal.Entry>) {
  const answer = yield* device.write(entries)
  expect(answer).toMatchObject({ _tag: "Ack" })
  return answer._tag === "Ack" ? answer.sequenceNumbers : []
})

/** The ids of entries, in order. */
export const idsOf = (entries: ReadonlyArray<{ readonly entry: EventJournal.Entry }>): ReadonlyArray<string> =>
  entries.map(({ entry }) => entry.idString)

/** Checks that entries follow each other without gap or repetition, from `first` on, and answers their ids. */
export const expectGapless = (entries: ReadonlyArray<EventJournal.RemoteEntry>, first = 1): ReadonlyArray<string> => {
  expect(entries.map(({ remoteSequence }) => remoteSequence)).toEqual(range(first, first + entries.length - 1))
  return idsOf(entries)
}
