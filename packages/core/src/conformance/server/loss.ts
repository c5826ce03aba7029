import { Effect, type Scope } from "effect"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import type { FeedLoss } from "../../index.ts"
import { freshStoreId, range, readAll } from "../fixtures.ts"
import type { Nodes } from "../harness.ts"
import type { Topic } from "../suite.ts"
import { makeNotes } from "./notes.ts"
import type { Handled, Setup } from "./server.ts"
import { expectGapless, idsOf, openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

/** What two servers that share a setup handled of a store, and were told of losses. */
const recording = (storeId: StoreId) => {
  const handled: Array<Handled> = []
  const losses: Array<FeedLoss> = []
  const setup: Setup = {
    handle: (each) => Effect.sync(() => each.storeId === storeId && handled.push(each)),
    onFeedLost: (loss) => void losses.push(loss)
  }
  return { handled, losses, setup }
}

/** Two servers with a device each that has five entries, all handled; then two of them are gone, and others in their place. */
const loseAndGrow = Effect.fnUntraced(function* (nodes: Nodes) {
  const storeId = freshStoreId()
  const { handled, losses, setup } = recording(storeId)
  const situation = { ...(yield* twoServers(nodes, setup)), storeId }
  const { here, there } = situation
  const followers = [yield* openFollower(situation, here), yield* openFollower(situation, there)]
  const [written, others] = [makeNotes(5), makeNotes(4, 6)]
  yield* writeAcked(followers[0]!, written)
  for (const device of followers) yield* device.untilDelivered(5)
  for (const server of [here, there]) yield* server.processed({ storeId, sequence: 5 })
  const before = yield* nodes.node.admin.id
  yield* Effect.promise(async () => nodes.loseTail?.(storeId, 2))
  // By a process that knows nothing of what was there.
  yield* nodes.peer.feeds.append(
    storeId,
    others.map((entry) => ({ entry, author: null, transportOnly: false }))
  )
  return { before, followers, handled, losses, others, situation, written }
})

const idOf = Effect.fnUntraced(function* ({ node }: Nodes): Effect.fn.Return<string, unknown, Scope.Scope> {
  return String(yield* node.admin.id)
})

export const loss: Topic = (check) => {
  check(
    "of a feed's end is noticed though it has grown beyond it: devices are closed, on every node, and told of another server",
    (nodes) =>
      Effect.gen(function* () {
        const { before, followers, losses, situation } = yield* loseAndGrow(nodes)
        for (const device of followers) {
          expect(yield* device.untilClosed).toContain("1012")
          // Nothing of the other history came after what it had.
          expectGapless(device.delivered)
          expect(device.delivered).toHaveLength(5)
        }
        const after = yield* nodes.node.admin.id
        expect(String(after)).not.toBe(String(before))
        for (const server of [situation.here, situation.there]) {
          const { remoteId } = yield* (yield* openDevice(situation, server)).next("Hello")
          expect(String(remoteId)).toBe(String(after))
        }
        expect(losses).toEqual([{ storeId: situation.storeId, sequence: 5 }])
      }),
    "loseTail"
  )

  check(
    "lets devices bring back what they hold, and handlers see all that there is then",
    (nodes) =>
      Effect.gen(function* () {
        const { followers, handled, losses, others, situation, written } = yield* loseAndGrow(nodes)
        const { here, storeId, there } = situation
        for (const device of followers) yield* device.untilClosed
        const back = yield* openFollower(situation, there)
        expect(yield* writeAcked(back, written)).toEqual([1, 2, 3, 8, 9])
        const delivered = yield* back.untilDelivered(9)
        const ids = expectGapless(delivered.slice(0, 9))
        expect(ids).toEqual(idsOf((yield* readAll(nodes.node.feeds, storeId)).entries))
        expect(new Set(ids)).toEqual(new Set([...written, ...others].map(({ idString }) => idString)))
        for (const server of [here, there]) yield* server.processed({ storeId, sequence: 9 })
        expect(new Set(handled.map(({ entry }) => entry.idString))).toEqual(new Set(ids))
        expect(handled.slice(5).map(({ text }) => Number(text))).toEqual([...range(6, 9), 4, 5])
        expect(losses).toHaveLength(1)
      }),
    "loseTail"
  )

  check(
    "of a store that nobody uses at the time is noticed by the next write",
    (nodes) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        const { losses, setup } = recording(storeId)
        const situation = { ...(yield* twoServers(nodes, setup)), storeId }
        const { here } = situation
        const writer = yield* openDevice(situation, here)
        yield* writeAcked(writer, makeNotes(3))
        yield* here.processed({ storeId, sequence: 3 })
        const before = yield* idOf(nodes)
        yield* Effect.promise(async () => nodes.loseTail?.(storeId, 1))
        yield* nodes.peer.feeds.append(
          storeId,
          makeNotes(3, 4).map((entry) => ({ entry, author: null, transportOnly: false }))
        )
        const lost = yield* Effect.exit(writer.write(makeNotes(1, 7)))
        expect(lost._tag === "Failure" || lost.value._tag === "Error").toBe(true)
        expect(yield* writer.untilClosed).toContain("1012")
        expect(yield* idOf(nodes)).not.toBe(before)
        expect(losses).toEqual([{ storeId, sequence: 3 }])
        const [note] = makeNotes(1, 8)
        const [sequence = 0] = yield* writeAcked(yield* openDevice(situation, here), [note!])
        // Where a node noticed before the write, that may have been stored though its device was closed.
        expect([6, 7]).toContain(sequence)
        const { entries } = yield* readAll(nodes.node.feeds, storeId)
        expect(idsOf(entries)[sequence - 1]).toBe(note!.idString)
      }),
    "loseTail"
  )

  check("that a device alone knows of is told to it", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const device = yield* openFollower(situation, situation.here)
      yield* writeAcked(device, makeNotes(3))
      yield* device.untilDelivered(3)
      const [, second, third] = device.delivered
      const publicKey = device.publicKey
      device.send({ _tag: "RequestChanges", publicKey, id: 100, startSequence: 4, lastEntryId: third!.entry.id })
      yield* device.next("Subscribed", ({ id }) => id === 100)
      device.send({ _tag: "RequestChanges", publicKey, id: 101, startSequence: 4, lastEntryId: second!.entry.id })
      expect(yield* device.next("Error", ({ id }) => id === 101)).toMatchObject({
        code: "InvalidRequest",
        reason: "FeedMismatch",
        retryable: false
      })
      // A claim is no proof: nobody else is disturbed by it.
      const before = yield* idOf(nodes)
      yield* writeAcked(device, makeNotes(1, 4))
      expect(yield* idOf(nodes)).toBe(before)
    })
  )

  check(
    "leaves the devices of other stores with all that they have, once they are back",
    (nodes) =>
      Effect.gen(function* () {
        const { followers, situation } = yield* loseAndGrow(nodes)
        const other = { ...situation, storeId: freshStoreId() }
        for (const device of followers) yield* device.untilClosed
        const device = yield* openFollower(other, other.there)
        expect(yield* writeAcked(device, makeNotes(2))).toEqual([1, 2])
        yield* device.untilDelivered(2)
      }),
    "loseTail"
  )
}
