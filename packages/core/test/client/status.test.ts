import { assert, describe, it } from "@effect/vitest"
import { makeEntries, makeEntry } from "@eventlog-server/testkit/schema"
import { Deferred, Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import { type ClientStatus, RemoteRefusal, statusChanges } from "../../src/client/index.ts"
import { background, captureLogs, makeIdentity, startClient, storeId, untilStatus } from "./fixtures.ts"
import { remoteId } from "./scriptedServer.ts"

const identity = makeIdentity()

describe("the status", () => {
  it.live("tells how it goes with the connection, writes, cursor and errors", () =>
    Effect.gen(function* () {
      const { client, registered, server } = yield* startClient()
      assert.deepInclude(client.status(), { remoteId: undefined, pendingWrites: 0, cursor: 0, caughtUp: false })
      const peer = yield* server.accept
      assert.strictEqual(client.status().connection, "connecting")
      peer.hello()
      const online = yield* untilStatus(client, ({ connection }) => connection === "online")
      assert.deepStrictEqual(online.remoteId, remoteId)
      const remote = yield* registered

      const entries = makeEntries(3)
      const writing = yield* background(Effect.exit(remote.write({ identity, storeId, entries })))
      yield* untilStatus(client, ({ pendingWrites }) => pendingWrites === 3)
      const request = yield* peer.next("WriteEntries")
      peer.refuse(request, "Refused")
      yield* writing
      const refused = yield* untilStatus(client, ({ lastError }) => lastError !== undefined)
      assert.strictEqual(refused.pendingWrites, 3)
      assert.instanceOf(refused.lastError?.cause, RemoteRefusal)
      const again = yield* background(remote.write({ identity, storeId, entries }))
      peer.ack(yield* peer.next("WriteEntries"))
      yield* again
      assert.deepInclude(client.status(), { pendingWrites: 0, lastError: undefined })

      const journal = yield* remote.changes({ identity, storeId, startSequence: 5 })
      const subscription = yield* peer.next("RequestChanges")
      const { publicKey } = subscription
      const id = subscription.id!
      peer.send({ _tag: "Subscribed", publicKey, id, head: 6 })
      peer.changes(subscription, [
        [5, makeEntry()],
        [6, makeEntry()]
      ])
      yield* Queue.takeAll(journal)
      yield* Effect.forkChild(Queue.takeAll(journal))
      const behind = yield* untilStatus(client, ({ cursor }) => cursor === 6)
      assert.isFalse(behind.caughtUp)
      peer.send({ _tag: "CaughtUp", publicKey, id, head: 6 })
      yield* untilStatus(client, ({ caughtUp }) => caughtUp)
      peer.socket.terminate()
      const offline = yield* untilStatus(client, ({ connection }) => connection === "offline")
      assert.deepInclude(offline, { caughtUp: false, cursor: 6 })
      assert.strictEqual(offline.lastError?.method, "connect")
    })
  )

  it.live("follows what the journal has committed, not what has arrived", () =>
    Effect.gen(function* () {
      const { client, registered, server } = yield* startClient()
      const peer = yield* server.accept
      peer.hello()
      const remote = yield* registered
      const journal = yield* remote.changes({ identity, storeId, startSequence: 1 })
      const subscription = yield* peer.next("RequestChanges")
      const { id, publicKey } = subscription
      const committing = yield* Queue.unbounded<Deferred.Deferred<void>>()
      yield* Queue.takeAll(journal).pipe(
        Effect.andThen(Deferred.make<void>()),
        Effect.tap((commit) => Queue.offer(committing, commit)),
        Effect.flatMap(Deferred.await),
        Effect.forever,
        Effect.forkChild
      )
      peer.changes(subscription, [[1, makeEntry()]])
      const first = yield* Queue.take(committing)
      peer.changes(subscription, [[2, makeEntry()]])
      peer.send({ _tag: "CaughtUp", publicKey, id: id!, head: 2 })
      while ((yield* Queue.size(journal)) === 0) yield* Effect.sleep(1)
      assert.deepInclude(client.status(), { cursor: 0, caughtUp: false })
      yield* Deferred.succeed(first, undefined)
      const second = yield* Queue.take(committing)
      const half = yield* untilStatus(client, ({ cursor }) => cursor === 1)
      assert.isFalse(half.caughtUp)
      yield* Deferred.succeed(second, undefined)
      const whole = yield* untilStatus(client, ({ caughtUp }) => caughtUp)
      assert.strictEqual(whole.cursor, 2)
    })
  )

  it.live("counts an entry as sent when another tab sent it, which only the stream tells", () =>
    Effect.gen(function* () {
      const { client, registered, server } = yield* startClient()
      const peer = yield* server.accept
      peer.hello()
      const remote = yield* registered
      const [mine, theirs] = makeEntries(2)
      yield* background(remote.write({ identity, storeId, entries: [mine!, theirs!] }))
      yield* peer.next("WriteEntries")
      yield* remote.changes({ identity, storeId, startSequence: 1 })
      peer.changes(yield* peer.next("RequestChanges"), [[1, theirs!]])
      yield* untilStatus(client, ({ pendingWrites }) => pendingWrites === 1)
    })
  )

  it.live("survives listeners that throw, logs it, and tells the others", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const { client, server } = yield* startClient()
      const seen: Array<ClientStatus> = []
      const end = client.subscribe(() => {
        throw new Error("broken")
      })
      client.subscribe((status) => seen.push(status))
      const peer = yield* server.accept
      peer.hello()
      yield* untilStatus(client, ({ connection }) => connection === "online")
      end()
      peer.socket.terminate()
      yield* untilStatus(client, ({ connection }) => connection === "offline")
      assert.includeMembers(
        seen.map(({ connection }) => connection),
        ["online", "offline"]
      )
      assert.include(logged.join(), "A listener of the client's status failed")
    }).pipe(Effect.provide(captureLogs(logged)))
  })

  it.live("is a stream that begins with the status now", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { client, server } = yield* Scope.provide(startClient(), scope)
      const watching = yield* statusChanges(client).pipe(
        Stream.map(({ connection }) => connection),
        Stream.takeUntil((connection) => connection === "closed"),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const peer = yield* server.accept
      peer.hello()
      yield* untilStatus(client, ({ connection }) => connection === "online")
      yield* Scope.close(scope, Exit.void)
      const seen = yield* Fiber.join(watching)
      assert.strictEqual(seen[seen.length - 1], "closed")
    })
  )
})
