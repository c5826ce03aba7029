import { assert, describe, it } from "@effect/vitest"
import { makeEntries, makeEntry } from "@eventlog-server/testkit/schema"
import { Effect, Exit, Queue, Scope } from "effect"
import { WebSocket } from "ws"
import { ConnectionFailure, RemoteRetired } from "../../src/client/index.ts"
import {
  background,
  connectRemote,
  connectTo,
  makeIdentity,
  startClient,
  storeId,
  untilStatus,
  withGlobals
} from "./fixtures.ts"
import { type Peer, remoteId, scriptedServer } from "./scriptedServer.ts"

const identity = makeIdentity()
const otherRemoteId = remoteId.map((byte) => byte + 1) as typeof remoteId

/** Cuts the connection like a broken line does, and says hello on the next one. */
const cut = Effect.fnUntraced(function* (server: { readonly accept: Effect.Effect<Peer> }, peer: Peer) {
  peer.socket.terminate()
  const next = yield* server.accept
  next.hello()
  return next
})

describe("a connection that is cut", () => {
  it.live("goes on with the subscription where it stood, on the same queue", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 5 })
      const first = yield* peer.next("RequestChanges")
      assert.strictEqual(first.startSequence, 5)
      peer.changes(first, [
        [5, makeEntry({ primaryKey: "five" })],
        [9, makeEntry({ primaryKey: "nine" })]
      ])
      assert.deepStrictEqual(
        (yield* Queue.takeAll(changes)).map(({ entry }) => entry.primaryKey),
        ["five", "nine"]
      )

      const second = yield* cut(server, peer)
      const again = yield* second.next("RequestChanges")
      assert.strictEqual(again.startSequence, 10)
      second.changes(again, [[10, makeEntry({ primaryKey: "ten" })]])
      assert.strictEqual((yield* Queue.take(changes)).entry.primaryKey, "ten")
    })
  )

  it.live("says what it received last, where that came live and not as a compaction's replacement", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const subscribed = ({ id = 0, publicKey }: { readonly id?: number; readonly publicKey: string }, head: number) =>
        ({ _tag: "Subscribed", id, publicKey, head }) as const
      const first = yield* peer.next("RequestChanges")
      assert.strictEqual("lastEntryId" in first, false)
      peer.send(subscribed(first, 5))
      // Up to the head, an entry may stand for others.
      peer.changes(first, [[5, makeEntry({ primaryKey: "five" })]])
      yield* Queue.take(changes)

      const second = yield* cut(server, peer)
      const again = yield* second.next("RequestChanges")
      assert.deepStrictEqual([again.startSequence, "lastEntryId" in again], [6, false])
      second.send(subscribed(again, 5))
      const last = makeEntry({ primaryKey: "seven" })
      second.changes(again, [
        [6, makeEntry({ primaryKey: "six" })],
        [7, last]
      ])
      yield* Queue.takeN(changes, 2)

      const third = yield* cut(server, second)
      const { lastEntryId, startSequence } = yield* third.next("RequestChanges")
      assert.deepStrictEqual([startSequence, lastEntryId], [8, last.id])
    })
  )

  it.live("sends writes again that were not acked, and only those", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const acked = makeEntries(3)
      const lost = makeEntries(2)
      const first = yield* background(remote.write({ identity, storeId, entries: acked }))
      peer.ack(yield* peer.next("WriteEntries"))
      yield* first

      const second = yield* background(remote.write({ identity, storeId, entries: lost }))
      yield* peer.next("WriteEntries")
      const next = yield* cut(server, peer)
      const resent = yield* next.next("WriteEntries")
      assert.deepStrictEqual(
        resent.entries.map((entry) => entry.idString),
        lost.map((entry) => entry.idString)
      )
      next.ack(resent)
      yield* second
    })
  )

  it.live("in the middle of a backlog goes on behind the batches that were acked", () =>
    Effect.gen(function* () {
      const limits = { maxBatchEntries: 10, maxPendingWrites: 2 }
      const { peer, remote, server } = yield* connectTo({}, limits)
      const entries = makeEntries(95)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      const seen: Array<string> = []
      for (let batch = 0; batch < 4; batch++) {
        const request = yield* peer.next("WriteEntries")
        seen.push(...request.entries.map((entry) => entry.idString))
        peer.ack(request)
      }
      // Under way and never answered.
      yield* peer.next("WriteEntries")
      peer.socket.terminate()

      const second = yield* server.accept
      second.hello({ limits: { ...limits, maxBatchEntries: 7 } })
      while (seen.length < entries.length) {
        const request = yield* second.next("WriteEntries")
        assert.isAtMost(request.entries.length, 7)
        seen.push(...request.entries.map((entry) => entry.idString))
        second.ack(request)
      }
      yield* writing
      assert.deepStrictEqual(
        seen,
        entries.map((entry) => entry.idString)
      )
    })
  )

  it.live("keeps writes that were made without a connection", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      peer.socket.terminate()
      yield* Effect.promise(() => peer.closed)
      const entries = makeEntries(1)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      const second = yield* server.accept
      second.hello()
      const request = yield* second.next("WriteEntries")
      assert.strictEqual(request.entries[0]!.idString, entries[0]!.idString)
      second.ack(request)
      yield* writing
    })
  )

  it.live("is noticed when it is only half open: nothing comes, and nobody says that it ended", () =>
    Effect.gen(function* () {
      const { client, server } = yield* startClient({ pingInterval: 10, pingTimeout: 500 })
      const peer = yield* server.accept
      peer.hello()
      // A living server is left in peace.
      yield* peer.next("Ping")
      yield* peer.next("Ping")
      assert.strictEqual(client.status().connection, "online")
      peer.answersPings = false
      const offline = yield* untilStatus(client, (status) => status.lastError !== undefined)
      assert.instanceOf(offline.lastError?.cause, ConnectionFailure)
      assert.include(offline.lastError?.cause, { reason: "Timeout", message: "The server does not answer" })
      const second = yield* server.accept
      second.hello()
      const online = yield* untilStatus(client, (status) => status.connection === "online")
      assert.isUndefined(online.lastError)
    })
  )
})

describe("a connection attempt", () => {
  it.live("asks the url function again each time", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      let attempts = 0
      const url = async () => {
        attempts++
        if (attempts === 1) throw new Error("no token")
        if (attempts === 2) return "no url at all"
        return `${server.url}/?attempt=${attempts}`
      }
      const { client } = yield* startClient({ url })
      const failed = yield* untilStatus(client, (status) => status.lastError !== undefined)
      assert.include(failed.lastError?.cause, { _tag: "ConnectionFailure", reason: "Open" })
      const peer = yield* server.accept
      assert.strictEqual(attempts, 3)
      peer.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
    })
  )

  it.live("takes the websocket class that it is given", () =>
    Effect.gen(function* () {
      const { client, server } = yield* startClient({ WebSocket })
      const peer = yield* server.accept
      assert.strictEqual(peer.protocol, "eventlog.v1")
      peer.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
    })
  )

  it.live("is given up when the server says no hello", () =>
    Effect.gen(function* () {
      const { client, server } = yield* startClient({ connectTimeout: 500 })
      const silent = yield* server.accept
      const failed = yield* untilStatus(client, (status) => status.lastError !== undefined)
      assert.include(failed.lastError?.cause, { _tag: "ConnectionFailure", reason: "Timeout" })
      yield* Effect.promise(() => silent.closed)
      const second = yield* server.accept
      second.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
    })
  )

  it.live.each<[string, (peer: Peer) => void]>([
    ["bytes that are no message", (peer) => peer.sendBytes(Uint8Array.of(0xc1))],
    ["a text frame", (peer) => peer.sendBytes("hello")],
    ["another message first", (peer) => peer.send({ _tag: "Pong", id: 1 })],
    [
      "another version of the protocol",
      (peer) => {
        peer.send({ ...peer.makeHello(), protocol: 2 })
      }
    ]
  ])("ends and is made again when the server sends %s", ([, misbehave]) =>
    Effect.gen(function* () {
      const { client, server } = yield* startClient()
      misbehave(yield* server.accept)
      const failed = yield* untilStatus(client, (status) => status.lastError !== undefined)
      assert.include(failed.lastError?.cause, { _tag: "ConnectionFailure", reason: "Protocol" })
      const second = yield* server.accept
      second.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
    })
  )

  it.live("waits its time, and is made at once when the network comes back, or when the app says so", () =>
    Effect.gen(function* () {
      const forever = { backoffMinimum: "1 hour", backoffMaximum: "1 hour" } as const
      const events = new EventTarget()
      yield* withGlobals({
        addEventListener: events.addEventListener.bind(events),
        removeEventListener: events.removeEventListener.bind(events)
      })
      const { client, server } = yield* startClient(forever)
      for (const wake of [Effect.sync(() => events.dispatchEvent(new Event("online"))), client.reconnect]) {
        const peer = yield* server.accept
        peer.hello()
        yield* untilStatus(client, (status) => status.connection === "online")
        peer.socket.terminate()
        yield* untilStatus(client, (status) => status.connection === "offline")
        yield* Effect.repeat(Effect.yieldNow, { times: 50 })
        assert.strictEqual(client.status().connection, "offline")
        yield* wake
      }
      yield* server.accept
    })
  )

  it.live("is given up soon after the browser went offline, though its socket stays open and silent", () =>
    Effect.gen(function* () {
      const events = new EventTarget()
      yield* withGlobals({
        addEventListener: events.addEventListener.bind(events),
        removeEventListener: events.removeEventListener.bind(events)
      })
      const { client, server } = yield* startClient({ pingInterval: "1 hour", pingTimeout: 20 })
      const peer = yield* server.accept
      peer.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
      peer.answersPings = false
      // Again and again: it may not have begun to listen.
      yield* background(
        Effect.forever(
          Effect.andThen(
            Effect.sync(() => events.dispatchEvent(new Event("offline"))),
            Effect.sleep(5)
          )
        )
      )
      const offline = yield* untilStatus(client, (status) => status.lastError !== undefined)
      assert.include(offline.lastError?.cause, { reason: "Timeout" })
    })
  )
})

describe("a server that is another one", () => {
  it.live("is registered as a new remote in place of the old one", () =>
    Effect.gen(function* () {
      const { client, live, registered, server } = yield* startClient()
      const first = yield* server.accept
      first.hello()
      const old = yield* registered
      const writing = yield* background(Effect.flip(old.write({ identity, storeId, entries: makeEntries(1) })))
      yield* first.next("WriteEntries")
      const changes = yield* old.changes({ identity, storeId, startSequence: 1 })
      first.socket.terminate()
      const second = yield* server.accept
      second.hello({ remoteId: otherRemoteId })
      const remote = yield* registered
      assert.deepStrictEqual([...live], [remote])
      assert.deepStrictEqual(remote.id, otherRemoteId)
      assert.deepStrictEqual(client.status().remoteId, otherRemoteId)

      for (const error of [yield* writing, yield* Effect.flip(Queue.takeAll(changes))]) {
        assert.instanceOf(error.cause, RemoteRetired)
        assert.include(error.cause, { reason: "Replaced" })
      }
      const write = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      second.ack(yield* second.next("WriteEntries"))
      yield* write
    })
  )

  it.live("is the same one when its id is the same", () =>
    Effect.gen(function* () {
      const { client, live, registered, server } = yield* startClient()
      const first = yield* server.accept
      first.hello()
      const remote = yield* registered
      const second = yield* cut(server, first)
      yield* untilStatus(client, (status) => status.connection === "online")
      // The remote that was registered first goes on with the new connection.
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      second.ack(yield* second.next("WriteEntries"))
      yield* writing
      assert.deepStrictEqual([...live], [remote])
    })
  )
})

describe("the end of a client", () => {
  it.live("closes the connection with 1000", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* scriptedServer
      const { client } = yield* Scope.provide(startClient({ url: server.url }), scope)
      const peer = yield* server.accept
      peer.hello()
      yield* untilStatus(client, (status) => status.connection === "online")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Effect.promise(() => peer.closed), 1000)
      assert.strictEqual(client.status().connection, "closed")
    })
  )

  it.live("fails the first contact of fromSocketUnencrypted, and leaves nothing running", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* background(Effect.flip(connectRemote({ url: server.url })))
      const peer = yield* server.accept
      peer.socket.close(1013, "full")
      const error = yield* connecting
      assert.strictEqual(error.method, "connect")
      assert.include(error.cause, { _tag: "ConnectionFailure", reason: "Closed", closeCode: 1013, message: "full" })
    })
  )
})
