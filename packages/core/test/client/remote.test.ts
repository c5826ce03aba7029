import { assert, describe, it } from "@effect/vitest"
import { makeEntries, makeEntry } from "@eventlog-server/testkit/schema"
import { Effect, Queue } from "effect"
import { EventLogRemote } from "effect/eventlog"
import { RemoteRefusal } from "../../src/client/index.ts"
import { chunkBytes, encodeRequestUnencrypted } from "../../src/wire/index.ts"
import { background, connectTo, makeIdentity, storeId } from "./fixtures.ts"
import { remoteId } from "./scriptedServer.ts"

const identity = makeIdentity()

const refusalOf = (error: EventLogRemote.EventLogRemoteError): RemoteRefusal => {
  assert.instanceOf(error, EventLogRemote.EventLogRemoteError)
  assert.instanceOf(error.cause, RemoteRefusal)
  return error.cause
}

describe("the remote", () => {
  it.live("fromSocketUnencrypted uses the unencrypted codec path", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      assert.deepStrictEqual(remote.id, remoteId)
      assert.strictEqual(remote.firstSequence, 1)
      assert.strictEqual(peer.protocol, "eventlog.v1")

      const entries = makeEntries(2)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(
        [...peer.frames[0]!],
        [...encodeRequestUnencrypted({ _tag: "WriteEntries", id: request.id, publicKey: "device", entries })]
      )
      peer.ack(request)
      // No acks: an ack would move the journal's cursor past what others wrote.
      assert.deepStrictEqual(yield* writing, [])

      const changes = yield* remote.changes({ identity, storeId, startSequence: 0 })
      const subscription = yield* peer.next("RequestChanges")
      assert.strictEqual(subscription.startSequence, 1)
      peer.changes(subscription, [
        [1, entries[0]!],
        [2, entries[1]!]
      ])
      const received = yield* Queue.takeAll(changes)
      assert.deepStrictEqual(
        received.map(({ entry, remoteSequence }) => [remoteSequence, entry.idString, [...entry.payload]]),
        entries.map((entry, index) => [index + 1, entry.idString, [...entry.payload]])
      )
    })
  )

  it.live("ErrorUnencrypted fails pending writes with EventLogRemoteError", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const refused = yield* background(Effect.flip(remote.write({ identity, storeId, entries: makeEntries(1) })))
      const passes = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      const first = yield* peer.next("WriteEntries")
      const second = yield* peer.next("WriteEntries")
      peer.refuse(first, "Refused", { message: "not yours" })
      peer.ack(second)

      const error = yield* refused
      assert.strictEqual(error.method, "write")
      assert.strictEqual(error.message, "not yours")
      const { code, entryIds, message, reason, requestTag, retryable } = refusalOf(error)
      assert.deepStrictEqual(
        { code, entryIds, message, reason, requestTag, retryable },
        {
          code: "Forbidden",
          entryIds: [],
          message: "not yours",
          reason: "Refused",
          requestTag: "WriteEntries",
          retryable: false
        }
      )
      assert.deepStrictEqual(yield* passes, [])
    })
  )

  it.live("rejected read subscriptions surface an EventLogRemoteError", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const subscription = yield* peer.next("RequestChanges")
      peer.changes(subscription, [[1, makeEntry({ primaryKey: "before" })]])
      peer.refuse(subscription, "Refused")
      // What came before the refusal is still delivered.
      assert.strictEqual((yield* Queue.take(changes)).entry.primaryKey, "before")
      const error = yield* Effect.flip(Queue.takeAll(changes))
      assert.strictEqual(error.method, "changes")
      assert.strictEqual(refusalOf(error).code, "Forbidden")

      const again = yield* remote.changes({ identity, storeId, startSequence: 2 })
      const next = yield* peer.next("RequestChanges")
      assert.strictEqual(next.startSequence, 2)
      assert.notStrictEqual(next.id, subscription.id)
      peer.changes(next, [[2, makeEntry({ primaryKey: "after" })]])
      assert.strictEqual((yield* Queue.take(again)).entry.primaryKey, "after")
    })
  )

  it.live("store-resolution failures surface as the expected unencrypted protocol error", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries: makeEntries(1) })))
      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      peer.refuse(yield* peer.next("WriteEntries"), "NotMapped")
      peer.refuse(yield* peer.next("RequestChanges"), "NotMapped")
      for (const error of [yield* writing, yield* Effect.flip(Queue.takeAll(changes))]) {
        const { code, reason } = refusalOf(error)
        assert.deepStrictEqual([code, reason], ["InvalidRequest", "NotMapped"])
      }
    })
  )

  it.live("chunked unencrypted messages round-trip correctly", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const big = makeEntry({ primaryKey: "big", payload: 2 * chunkBytes + 1 })
      big.payload.forEach((_, index) => {
        big.payload[index] = index % 251
      })
      const writing = yield* background(remote.write({ identity, storeId, entries: [big] }))
      const request = yield* peer.next("WriteEntries")
      assert.isTrue(peer.frames.length === 3 && peer.frames.every((frame) => frame.length <= chunkBytes + 64))
      assert.deepStrictEqual(request.entries[0]!.payload, big.payload)
      peer.ack(request)
      yield* writing

      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      peer.changes(yield* peer.next("RequestChanges"), [[1, big]])
      assert.deepStrictEqual((yield* Queue.take(changes)).entry.payload, big.payload)
    })
  )

  it.live("splits its messages at the frame size that the server announces", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxFrameBytes: 1000 })
      const entry = makeEntry({ primaryKey: "k", payload: 5000 })
      const writing = yield* background(remote.write({ identity, storeId, entries: [entry] }))
      const request = yield* peer.next("WriteEntries")
      assert.isTrue(peer.frames.length > 5 && peer.frames.every((frame) => frame.length <= 1000))
      assert.deepStrictEqual(request.entries[0]!.payload, entry.payload)
      peer.ack(request)
      yield* writing
    })
  )
})
