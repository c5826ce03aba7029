import { Deferred, Effect } from "effect"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { makeNote, makeNotes } from "./notes.ts"
import { type Handled, type Setup, startClosableServer, startServer } from "./server.ts"
import { idsOf, openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

/** What the handlers of several servers were called with, in the order of the calls. */
const makeLog = () => {
  const calls: Array<Handled> = []
  return {
    setup: { handle: (handled) => Effect.sync(() => void calls.push(handled)) } satisfies Setup,
    of: (storeId: StoreId) => calls.filter((handled) => handled.storeId === storeId),
    textsOf: (storeId: StoreId) => calls.filter((handled) => handled.storeId === storeId).map(({ text }) => text)
  }
}

/** Slow enough that both nodes want to go on while one is at work. */
const slowly =
  (handle: NonNullable<Setup["handle"]>): NonNullable<Setup["handle"]> =>
  (handled) =>
    Effect.andThen(Effect.sleep(1), handle(handled))

const texts = (first: number, last: number): ReadonlyArray<string> => range(first, last).map(String)

export const handlers: Topic = (check) => {
  check("run once for each entry over both nodes, in the order of the feed", (nodes) =>
    Effect.gen(function* () {
      const log = makeLog()
      const situation = yield* twoServers(nodes, { handle: slowly(log.setup.handle) })
      const { here, storeId, there } = situation
      const devices = [yield* openFollower(situation, here), yield* openFollower(situation, there)]
      const batches = range(1, 5 * nodes.scale)
      yield* Effect.forEach(devices, (device) => Effect.forEach(batches, () => writeAcked(device, makeNotes(3))), {
        concurrency: "unbounded"
      })
      const count = devices.length * batches.length * 3
      for (const server of [here, there]) yield* server.processed({ storeId, sequence: count })
      const delivered = yield* devices[0]?.untilDelivered(count) ?? Effect.die("no device")
      expect(idsOf(log.of(storeId))).toEqual(idsOf(delivered))
    })
  )

  check("have run when either node says that they were processed", (nodes) =>
    Effect.gen(function* () {
      const log = makeLog()
      const situation = yield* twoServers(nodes, log.setup)
      const { here, storeId, there } = situation
      const devices = [yield* openDevice(situation, here), yield* openDevice(situation, there)] as const
      for (const round of range(1, 6)) {
        // Each node waits for what was written on the other one.
        const [writer, waiting] = round % 2 === 0 ? [devices[0], there] : [devices[1], here]
        const [sequence = 0] = yield* writeAcked(writer, [makeNote({ text: String(round) })])
        yield* waiting.processed({ storeId, sequence })
        expect(log.textsOf(storeId)).toEqual(texts(1, round))
      }
    })
  )

  check("see the conflicts of what came to the other node", (nodes) =>
    Effect.gen(function* () {
      const log = makeLog()
      const situation = yield* twoServers(nodes, log.setup)
      const { here, storeId, there } = situation
      const [one, other] = [yield* openDevice(situation, here), yield* openDevice(situation, there)]
      const early = makeNote({ text: "early", hoursAgo: 2 })
      const late = makeNote({ text: "late", hoursAgo: 1 })
      yield* writeAcked(one, [late, makeNote({ text: "elsewhere", note: "other" })])
      // The conflict was processed long ago: only the backend knows of it.
      yield* here.processed({ storeId, sequence: 2 })
      yield* writeAcked(other, [early])
      yield* here.processed({ storeId, sequence: 3 })
      expect(log.of(storeId).map(({ conflicts, text }) => [text, conflicts])).toEqual([
        ["late", []],
        ["elsewhere", []],
        ["early", ["late"]]
      ])
    })
  )

  check("never see what the server wrote for subscribers only", (nodes) =>
    Effect.gen(function* () {
      const log = makeLog()
      const { here, storeId, there } = yield* twoServers(nodes, log.setup)
      yield* here.writeToStore({ storeId, entries: makeNotes(2), runHandlers: false })
      yield* there.writeToStore({ storeId, entries: [makeNote({ text: "seen", hoursAgo: 1 })] })
      yield* there.processed({ storeId, sequence: 3 })
      expect(log.of(storeId).map(({ conflicts, text }) => [text, conflicts])).toEqual([["seen", []]])
    })
  )

  check("run for what a node committed and left behind, when another one starts", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const isDone = yield* Deferred.make<void>()
      const seen: Array<string> = []
      yield* node.feeds.append(
        storeId,
        makeNotes(3).map((entry) => ({ entry, author: null, transportOnly: false }))
      )
      yield* startServer(peer, {
        handle: (handled) =>
          Effect.suspend(() => {
            if (handled.storeId !== storeId) return Effect.void
            seen.push(handled.text)
            return seen.length === 3 ? Deferred.succeed(isDone, undefined) : Effect.void
          })
      })
      yield* Deferred.await(isDone)
      expect(seen).toEqual(texts(1, 3))
    })
  )

  check("go on at the other node when one closes", ({ node, peer }) =>
    Effect.gen(function* () {
      const log = makeLog()
      const storeId = freshStoreId()
      const isOnItsWay = yield* Deferred.make<void>()
      const closing = yield* startClosableServer(node, {
        handle: (handled) =>
          Effect.gen(function* () {
            yield* log.setup.handle(handled)
            if (log.textsOf(storeId).length === 10) yield* Deferred.succeed(isOnItsWay, undefined)
            yield* Effect.sleep(1)
          })
      })
      yield* closing.server.writeToStore({ storeId, entries: makeNotes(50) })
      yield* Deferred.await(isOnItsWay)
      yield* closing.close
      const other = yield* startServer(peer, log.setup)
      yield* other.processed({ storeId, sequence: 50 })
      expect(log.textsOf(storeId)).toEqual(texts(1, 50))
    })
  )

  check(
    "are taken over from a node that lost its lease",
    ({ expireLease, node, peer }) =>
      Effect.gen(function* () {
        const log = makeLog()
        const storeId = freshStoreId()
        const handle = slowly(log.setup.handle)
        const isStuck = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const stuck = yield* startServer(node, {
          handle: (handled) =>
            handled.storeId === storeId && handled.text === "2"
              ? Effect.andThen(Deferred.succeed(isStuck, undefined), Deferred.await(release))
              : handle(handled)
        })
        yield* stuck.writeToStore({ storeId, entries: makeNotes(5) })
        yield* Deferred.await(isStuck)
        yield* Effect.promise(async () => expireLease?.(storeId))
        const other = yield* startServer(peer, { handle })
        yield* other.processed({ storeId, sequence: 5 })
        // No lease runs out sooner: what is slow is saved before anything else runs, and that tells.
        yield* Effect.sleep(200)
        yield* Deferred.succeed(release, undefined)
        yield* stuck.writeToStore({ storeId, entries: makeNotes(5, 6) })
        yield* stuck.processed({ storeId, sequence: 10 })
        // What was not saved when the lease was lost may have run twice.
        expect([...new Set(log.textsOf(storeId))]).toEqual(texts(1, 10))
        expect(log.textsOf(storeId).filter((text) => Number(text) > 5)).toEqual(texts(6, 10))
        expect(yield* node.progress.cursors([storeId])).toEqual([10])
      }),
    "expireLease"
  )
}
