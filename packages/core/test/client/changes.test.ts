import { assert, describe, it } from "@effect/vitest"
import { makeEntries, makeEntry } from "@eventlog-server/testkit/schema"
import { Effect, Exit, Queue, Scope } from "effect"
import { background, connectTo, makeIdentity, storeId } from "./fixtures.ts"
import { changesOf, type Peer } from "./scriptedServer.ts"

const identity = makeIdentity()

const keysOf = (entries: ReadonlyArray<{ readonly entry: { readonly primaryKey: string } }>) =>
  entries.map(({ entry }) => entry.primaryKey)

/** Waits until the client has handled everything that was sent to it so far. */
const handled = Effect.fnUntraced(function* (peer: Peer) {
  peer.send({ _tag: "Ping", id: 1 })
  yield* peer.next("Pong")
})

describe("a subscription", () => {
  it.live("hands the entries of one Changes over at once", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 0 })
      const subscription = yield* peer.next("RequestChanges")
      const taking = yield* background(Queue.takeAll(changes))
      const entries = makeEntries(50)
      peer.changes(
        subscription,
        entries.map((entry, index) => [index + 1, entry] as const)
      )
      assert.strictEqual((yield* taking).length, 50)
    })
  )

  it.live("ignores late frames of the one that it replaced", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const scope = yield* Scope.make()
      yield* Scope.provide(remote.changes({ identity, storeId, startSequence: 1 }), scope)
      const replaced = yield* peer.next("RequestChanges")
      yield* Scope.close(scope, Exit.void)
      const stopped = yield* peer.next("StopChanges")
      assert.deepStrictEqual([stopped.publicKey, stopped.id], ["device", replaced.id])

      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const current = yield* peer.next("RequestChanges")
      peer.changes(replaced, [[7, makeEntry({ primaryKey: "late" })]])
      peer.refuse(replaced, "Internal")
      peer.send({ ...changesOf({ publicKey: "device" }, [[8, makeEntry({ primaryKey: "nobody's" })]]) })
      peer.changes(current, [[1, makeEntry({ primaryKey: "current" })]])
      yield* handled(peer)
      assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), ["current"])
    })
  )

  it.live("takes sequences that skip and repeat, and the first part of a bucket that was cut", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 3 })
      const subscription = yield* peer.next("RequestChanges")
      // A bucket whose last entry is 9, in two parts; the connection is cut between them.
      peer.changes(subscription, [
        [3, makeEntry({ primaryKey: "three" })],
        [8, makeEntry({ primaryKey: "a" })],
        [8, makeEntry({ primaryKey: "b" })]
      ])
      assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), ["three", "a", "b"])
      peer.socket.terminate()
      const second = yield* server.accept
      second.hello()
      const again = yield* second.next("RequestChanges")
      assert.strictEqual(again.startSequence, 9)
      second.changes(again, [
        [8, makeEntry({ primaryKey: "a" })],
        [8, makeEntry({ primaryKey: "b" })]
      ])
      second.changes(again, [
        [9, makeEntry({ primaryKey: "c" })],
        [9, makeEntry({ primaryKey: "d" })]
      ])
      yield* handled(second)
      assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), ["a", "b", "c", "d"])
    })
  )

  it.live.each<[string, ReadonlyArray<number>]>([
    ["fall inside of a message", [7, 6]],
    ["begin before what was asked for", [3]]
  ])("ends the connection when sequences %s, and goes on from the cursor", ([, sequences]) =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 5 })
      const subscription = yield* peer.next("RequestChanges")
      peer.changes(
        subscription,
        sequences.map((sequence) => [sequence, makeEntry({ primaryKey: "wrong" })] as const)
      )
      const second = yield* server.accept
      second.hello()
      const again = yield* second.next("RequestChanges")
      assert.strictEqual(again.startSequence, 5)
      second.changes(again, [[5, makeEntry({ primaryKey: "right" })]])
      assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), ["right"])
    })
  )

  it.live.each(["maxQueuedEntries", "maxQueuedBytes"] as const)(
    "rests when the journal is slow, bounded by %s, and goes on where it stood",
    (bound) =>
      Effect.gen(function* () {
        const { peer, remote } = yield* connectTo({ [bound]: bound === "maxQueuedBytes" ? 1_000 : 3 })
        const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
        const subscription = yield* peer.next("RequestChanges")
        const entries = makeEntries(5, { payload: 300 })
        for (let index = 0; index < 5; index++) peer.changes(subscription, [[index + 1, entries[index]!]])
        const stopped = yield* peer.next("StopChanges")
        assert.strictEqual(stopped.id, subscription.id)
        yield* handled(peer)
        assert.strictEqual(peer.waitingFor("RequestChanges"), 0)
        assert.strictEqual(Queue.sizeUnsafe(changes), bound === "maxQueuedBytes" ? 4 : 3)
        const taken = yield* Queue.takeAll(changes)

        const again = yield* peer.next("RequestChanges")
        assert.strictEqual(again.startSequence, taken.length + 1)
        peer.changes(again, [[again.startSequence, entries[again.startSequence - 1]!]])
        assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), [entries[again.startSequence - 1]!.primaryKey])
      })
  )

  it.live("asks for as much as it has room for, and for more where that brought it no further", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({ maxQueuedEntries: 2, maxQueuedBytes: 1_000 })
      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const first = yield* peer.next("RequestChanges")
      assert.deepInclude(first, { startSequence: 1, maxEntries: 2, maxBytes: 1_000 })
      // A bucket whose last sequence is 9: its parts bring the cursor to 9 and not behind it.
      const part = makeEntries(2)
      peer.changes(first, [
        [8, part[0]!],
        [8, part[1]!]
      ])
      yield* Queue.takeAll(changes)
      const second = yield* peer.next("RequestChanges")
      assert.deepInclude(second, { startSequence: 9, maxEntries: 2 })
      peer.changes(second, [
        [8, part[0]!],
        [8, part[1]!]
      ])
      yield* Queue.takeAll(changes)
      const third = yield* peer.next("RequestChanges")
      assert.deepInclude(third, { startSequence: 9, maxEntries: 4, maxBytes: 2_000 })
      peer.changes(third, [
        [8, part[0]!],
        [8, part[1]!],
        [9, makeEntry()],
        [10, makeEntry()]
      ])
      yield* Queue.takeAll(changes)
      assert.deepInclude(yield* peer.next("RequestChanges"), { startSequence: 11, maxEntries: 2 })
    })
  )

  it.live("asks again when it is refused for now", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 4 })
      peer.refuse(yield* peer.next("RequestChanges"), "Unavailable")
      const again = yield* peer.next("RequestChanges")
      assert.strictEqual(again.startSequence, 4)
      peer.changes(again, [[4, makeEntry({ primaryKey: "four" })]])
      assert.deepStrictEqual(keysOf(yield* Queue.takeAll(changes)), ["four"])
    })
  )

  it.live("ends on the server with its scope", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const scope = yield* Scope.make()
      yield* Scope.provide(remote.changes({ identity, storeId, startSequence: 1 }), scope)
      const subscription = yield* peer.next("RequestChanges")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* peer.next("StopChanges")).id, subscription.id)
    })
  )
})
