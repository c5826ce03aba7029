import { assert, describe, it } from "@effect/vitest"
import { makeEntries } from "@eventlog-server/testkit/schema"
import { Effect, Queue } from "effect"
import { EventLog, EventLogRemote } from "effect/eventlog"
import { type ClientOptions, CryptoUnavailable, RemoteRefusal } from "../../src/client/index.ts"
import { background, connectRemote, makeIdentity, startClient, storeId, untilStatus, withGlobals } from "./fixtures.ts"
import { scriptedServer } from "./scriptedServer.ts"

const identity = makeIdentity()
const other = makeIdentity("other-device")

const third = makeIdentity("third-device")

const challenge = (fill: number) => new Uint8Array(32).fill(fill)

const connectChallenged = Effect.fnUntraced(function* (options: ClientOptions = {}) {
  const server = yield* scriptedServer
  const connecting = yield* background(connectRemote({ url: server.url, ...options }))
  const peer = yield* server.accept
  peer.hello({ challenge: challenge(1) })
  return { server, peer, remote: yield* connecting }
})

describe("a server that wants proof", () => {
  it.live("gets each key proved once, when it is first used, one challenge after another", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged()
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      const reading = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const others = yield* background(remote.write({ identity: other, storeId, entries: makeEntries(1) }))
      const thirds = yield* background(remote.write({ identity: third, storeId, entries: makeEntries(1) }))

      const first = yield* peer.next("Authenticate")
      assert.strictEqual(first.publicKey, "device")
      assert.strictEqual(first.algorithm, "Ed25519")
      assert.isTrue(yield* peer.verify(first, challenge(1)))
      // Nothing is asked of the server before it knows the key, and no challenge is used twice.
      peer.send({ _tag: "Ping", id: 1 })
      yield* peer.next("Pong")
      assert.strictEqual(peer.waitingFor("WriteEntries") + peer.waitingFor("RequestChanges"), 0)
      assert.strictEqual(peer.waitingFor("Authenticate"), 0)

      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(2) })
      const second = yield* peer.next("Authenticate")
      assert.strictEqual(second.publicKey, "other-device")
      assert.isTrue(yield* peer.verify(second, challenge(2)))
      peer.send({ _tag: "Authenticated", publicKey: "other-device", challenge: challenge(3) })
      const last = yield* peer.next("Authenticate")
      assert.strictEqual(last.publicKey, "third-device")
      peer.send({ _tag: "Authenticated", publicKey: "third-device", challenge: challenge(4) })
      for (const write of [writing, others, thirds]) {
        peer.ack(yield* peer.next("WriteEntries"))
        yield* write
      }
      const subscription = yield* peer.next("RequestChanges")
      peer.changes(subscription, [[1, makeEntries(1)[0]!]])
      yield* Queue.take(reading)
      yield* remote.whenAuthenticated(Effect.void).pipe(Effect.provideService(EventLog.Identity, identity))
      assert.strictEqual(peer.waitingFor("Authenticate"), 0)
    })
  )

  it.live("gets it again on the next connection, for what is still wanted", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectChallenged()
      yield* remote.changes({ identity, storeId, startSequence: 1 })
      yield* peer.next("Authenticate")
      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(2) })
      yield* peer.next("RequestChanges")
      peer.socket.terminate()
      const second = yield* server.accept
      second.hello({ challenge: challenge(9) })
      assert.isTrue(yield* second.verify(yield* second.next("Authenticate"), challenge(9)))
      second.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(10) })
      yield* second.next("RequestChanges")
    })
  )

  it.live("is asked again with the challenge of the new Hello when the first one had expired", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged()
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      peer.refuse(yield* peer.next("Authenticate"), "BadProof")
      peer.hello({ challenge: challenge(2) })
      const again = yield* peer.next("Authenticate")
      assert.isTrue(yield* peer.verify(again, challenge(2)))
      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(3) })
      peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("that is too busy to look at a proof gets it again", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged()
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      // It sends no new challenge: the old one wasn't used.
      peer.refuse(yield* peer.next("Authenticate"), "RateLimited")
      assert.isTrue(yield* peer.verify(yield* peer.next("Authenticate"), challenge(1)))
      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(3) })
      peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("and refuses it fails what needs it, and isn't asked again at once", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged({ backoffMinimum: 60_000, backoffMaximum: 3_600_000 })
      const changes = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries: makeEntries(1) })))
      peer.refuse(yield* peer.next("Authenticate"), "Refused", { message: "unknown device" })
      peer.hello({ challenge: challenge(2) })
      const errors = [
        yield* writing,
        yield* Effect.flip(Queue.takeAll(changes)),
        yield* Effect.flip(remote.write({ identity, storeId, entries: makeEntries(1) }))
      ]
      for (const error of errors) {
        assert.instanceOf(error, EventLogRemote.EventLogRemoteError)
        assert.strictEqual(error.method, "authenticate")
        assert.instanceOf(error.cause, RemoteRefusal)
        assert.include(error.cause, { code: "Forbidden", message: "unknown device" })
      }
      peer.send({ _tag: "Ping", id: 1 })
      yield* peer.next("Pong")
      assert.strictEqual(peer.waitingFor("Authenticate"), 0)
    })
  )

  it.live("gets a key proved again that it forgot", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged()
      const write = () => background(Effect.exit(remote.write({ identity, storeId, entries: makeEntries(1) })))
      const first = yield* write()
      yield* peer.next("Authenticate")
      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(2) })
      peer.refuse(yield* peer.next("WriteEntries"), "NotProved")
      assert.strictEqual((yield* first)._tag, "Failure")
      const second = yield* write()
      assert.isTrue(yield* peer.verify(yield* peer.next("Authenticate"), challenge(2)))
      peer.send({ _tag: "Authenticated", publicKey: "device", challenge: challenge(3) })
      peer.ack(yield* peer.next("WriteEntries"))
      assert.strictEqual((yield* second)._tag, "Success")
    })
  )

  it.live("gets none with sessionAuth off", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectChallenged({ sessionAuth: "off" })
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(1) }))
      peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
      assert.strictEqual(peer.waitingFor("Authenticate"), 0)
    })
  )
})

describe("a page without crypto.subtle", () => {
  it.live("says so in its status, fails what needs a proof, and crashes nothing", () =>
    Effect.gen(function* () {
      yield* withGlobals({ crypto: { getRandomValues: globalThis.crypto.getRandomValues.bind(globalThis.crypto) } })
      const { client, registered, server } = yield* startClient()
      const peer = yield* server.accept
      peer.hello({ challenge: challenge(1) })
      const remote = yield* registered
      const error = yield* Effect.flip(remote.write({ identity, storeId, entries: makeEntries(1) }))
      assert.instanceOf(error.cause, CryptoUnavailable)
      const status = yield* untilStatus(client, ({ lastError }) => lastError !== undefined)
      assert.strictEqual(status.lastError, error)
      assert.strictEqual(status.connection, "online")
    })
  )
})
