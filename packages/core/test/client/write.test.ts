import { assert, describe, it } from "@effect/vitest"
import { makeEntries, makeEntry } from "@eventlog-server/testkit/schema"
import { Effect, Fiber } from "effect"
import { EventJournal, type EventLogRemote } from "effect/eventlog"
import { type Rejection, RemoteRefusal } from "../../src/client/index.ts"
import { announcedLimits, defaultLimits } from "../../src/wire/index.ts"
import { background, captureLogs, connectRemote, connectTo, makeIdentity, storeId } from "./fixtures.ts"
import { type Peer, remoteId, scriptedServer } from "./scriptedServer.ts"

const identity = makeIdentity()

const idsOf = (entries: ReadonlyArray<{ readonly idString: string }>) => entries.map((entry) => entry.idString)

const refusalOf = (error: EventLogRemote.EventLogRemoteError): RemoteRefusal => {
  assert.instanceOf(error.cause, RemoteRefusal)
  return error.cause
}

/**
 * How many writes arrived once everything that the client has to send now did. Two round trips: the first Pong may
 * overtake what an Ack before it sets going.
 */
const writesSoFar = Effect.fnUntraced(function* (peer: Peer) {
  for (const id of [1, 2]) {
    peer.send({ _tag: "Ping", id })
    yield* peer.next("Pong")
  }
  return peer.waitingFor("WriteEntries")
})

describe("a refused write", () => {
  it.live("sets poison entries aside with onRejected, and lets the rest pass", () =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { peer, remote } = yield* connectTo({
        onRejected: (rejection) => {
          rejections.push(rejection)
        }
      })
      const entries = makeEntries(5)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      const first = yield* peer.next("WriteEntries")
      peer.refuse(first, "BadEntry", { entryIds: [entries[1]!.id] })
      const second = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(second.entries), idsOf([entries[0]!, entries[2]!, entries[3]!, entries[4]!]))
      peer.refuse(second, "Limit", { entryIds: [entries[3]!.id, entries[4]!.id] })
      const third = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(third.entries), idsOf([entries[0]!, entries[2]!]))
      peer.ack(third)
      assert.deepStrictEqual(yield* writing, [])
      assert.deepStrictEqual(
        rejections.map(({ entries, refusal }) => [idsOf(entries), refusal.reason]),
        [
          [idsOf([entries[1]!]), "BadEntry"],
          [idsOf([entries[3]!, entries[4]!]), "Limit"]
        ]
      )
    })
  )

  it.live.each<[string, () => void | Promise<void>]>([
    [
      "throws",
      () => {
        throw new Error("broken")
      }
    ],
    ["rejects", () => Promise.reject(new Error("broken"))]
  ])("passes even where onRejected %s, which is logged", ([, onRejected]) => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({ onRejected })
      const entries = makeEntries(2)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      peer.refuse(yield* peer.next("WriteEntries"), "BadEntry", { entryIds: [entries[0]!.id] })
      const rest = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(rest.entries), idsOf([entries[1]!]))
      peer.ack(rest)
      assert.deepStrictEqual(yield* writing, [])
      assert.include(logged.join(), "onRejected failed")
    }).pipe(Effect.provide(captureLogs(logged)))
  })

  it.live("keeps poison entries without onRejected, but not what the device writes after them", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const [poison, good, later] = makeEntries(3)
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries: [poison!, good!] })))
      peer.refuse(yield* peer.next("WriteEntries"), "BadEntry", { entryIds: [poison!.id] })
      const rest = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(rest.entries), idsOf([good!]))
      peer.ack(rest)
      const refusal = refusalOf(yield* writing)
      assert.strictEqual(refusal.reason, "BadEntry")
      assert.deepStrictEqual(refusal.entryIds, [poison!.id])

      // effect hands over its whole backlog again, and what was written since.
      const again = yield* background(
        Effect.flip(remote.write({ identity, storeId, entries: [poison!, good!, later!] }))
      )
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(request.entries), idsOf([poison!, later!]))
      peer.refuse(request, "BadEntry", { entryIds: [poison!.id] })
      const last = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(last.entries), idsOf([later!]))
      peer.ack(last)
      yield* again
    })
  )

  it.live("leaves what it named alone on the next connection too", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const [poison, good] = makeEntries(2)
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries: [poison!, good!] })))
      peer.refuse(yield* peer.next("WriteEntries"), "BadEntry", { entryIds: [poison!.id] })
      yield* peer.next("WriteEntries")
      peer.socket.terminate()
      const second = yield* server.accept
      second.hello()
      const rest = yield* second.next("WriteEntries")
      assert.deepStrictEqual(idsOf(rest.entries), idsOf([good!]))
      second.ack(rest)
      assert.strictEqual(refusalOf(yield* writing).reason, "BadEntry")
    })
  )

  it.live("is remembered only until its backlog went through", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo()
      const entries = makeEntries(1)
      for (let times = 0; times < 2; times++) {
        const writing = yield* background(remote.write({ identity, storeId, entries }))
        const request = yield* peer.next("WriteEntries")
        assert.deepStrictEqual(idsOf(request.entries), idsOf(entries))
        peer.ack(request)
        yield* writing
      }
    })
  )

  it.live("keeps entries that may be accepted later, and never reports them as rejected", () =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { peer, remote } = yield* connectTo({
        onRejected: (rejection) => {
          rejections.push(rejection)
        }
      })
      const [ahead, good] = makeEntries(2)
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries: [ahead!, good!] })))
      peer.refuse(yield* peer.next("WriteEntries"), "ClockSkew", { entryIds: [ahead!.id] })
      const rest = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(rest.entries), idsOf([good!]))
      peer.ack(rest)
      assert.include(refusalOf(yield* writing), { reason: "ClockSkew", retryable: true })
      assert.isEmpty(rejections)
    })
  )

  it.live.each(["Unavailable", "RateLimited", "ShuttingDown"] as const)(
    "is tried again by itself when the reason is %s",
    (reason) =>
      Effect.gen(function* () {
        const { peer, remote } = yield* connectTo()
        const entries = makeEntries(2)
        const writing = yield* background(remote.write({ identity, storeId, entries }))
        for (let attempt = 0; attempt < 3; attempt++) peer.refuse(yield* peer.next("WriteEntries"), reason)
        const request = yield* peer.next("WriteEntries")
        assert.deepStrictEqual(idsOf(request.entries), idsOf(entries))
        peer.ack(request)
        assert.deepStrictEqual(yield* writing, [])
      })
  )

  it.live("leaves the whole backlog in place when it names no entries", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({ onRejected: () => assert.fail("No entry was named") })
      const entries = makeEntries(2)
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries })))
      peer.refuse(yield* peer.next("WriteEntries"), "Internal")
      assert.strictEqual(refusalOf(yield* writing).reason, "Internal")
      const again = yield* background(remote.write({ identity, storeId, entries }))
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(request.entries), idsOf(entries))
      peer.ack(request)
      yield* again
    })
  )

  it.live("goes on with the batches that were acked before, when the backlog comes again", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxBatchEntries: 1 })
      const entries = makeEntries(3)
      const writing = yield* background(Effect.flip(remote.write({ identity, storeId, entries })))
      peer.ack(yield* peer.next("WriteEntries"))
      peer.refuse(yield* peer.next("WriteEntries"), "Refused")
      yield* writing
      yield* peer.next("WriteEntries")
      const again = yield* background(remote.write({ identity, storeId, entries }))
      for (const entry of entries.slice(1)) {
        const request = yield* peer.next("WriteEntries")
        assert.deepStrictEqual(idsOf(request.entries), idsOf([entry]))
        peer.ack(request)
      }
      yield* again
    })
  )
})

describe("the server's limits", () => {
  it.live("an entry that is too big is rejected here, and the others pass", () =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { peer, remote } = yield* connectTo(
        {
          onRejected: (rejection) => {
            rejections.push(rejection)
          }
        },
        { maxEntryBytes: 100 }
      )
      const big = makeEntry({ primaryKey: "big", payload: 101 })
      const small = makeEntry({ primaryKey: "small", payload: 50 })
      const writing = yield* background(remote.write({ identity, storeId, entries: [big, small] }))
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(request.entries), idsOf([small]))
      peer.ack(request)
      yield* writing
      assert.deepStrictEqual(
        rejections.map(({ entries, refusal }) => [idsOf(entries), refusal.reason, refusal.retryable]),
        [[idsOf([big]), "Limit", false]]
      )
    })
  )

  it.live.each<readonly [string, EventJournal.Entry]>([
    ["primary key", makeEntry({ primaryKey: "€".repeat(7) })],
    [
      "event name",
      new EventJournal.Entry({ ...makeEntry({ primaryKey: "key" }), event: "e".repeat(21) }, { disableChecks: true })
    ]
  ])("an entry whose %s is too long is rejected here, and the others pass", ([, long]) =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { peer, remote } = yield* connectTo(
        {
          onRejected: (rejection) => {
            rejections.push(rejection)
          }
        },
        { maxEventBytes: 20, maxPrimaryKeyBytes: 20 }
      )
      const short = makeEntry({ primaryKey: "€€€€€€12" })
      const writing = yield* background(remote.write({ identity, storeId, entries: [long, short] }))
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(request.entries), idsOf([short]))
      peer.ack(request)
      yield* writing
      assert.deepStrictEqual(
        rejections.map(({ entries, refusal }) => [idsOf(entries), refusal.reason, refusal.retryable]),
        [[idsOf([long]), "Limit", false]]
      )
    })
  )

  it.live("an entry with text that UTF-8 can't say is rejected here, and the others pass", () =>
    Effect.gen(function* () {
      const rejections: Array<Rejection> = []
      const { peer, remote } = yield* connectTo({
        onRejected: (rejection) => {
          rejections.push(rejection)
        }
      })
      const broken = makeEntry({ primaryKey: "half a \ud83d" })
      const whole = makeEntry({ primaryKey: "\ud83d\ude80" })
      const writing = yield* background(remote.write({ identity, storeId, entries: [broken, whole] }))
      const request = yield* peer.next("WriteEntries")
      assert.deepStrictEqual(idsOf(request.entries), idsOf([whole]))
      peer.ack(request)
      yield* writing
      assert.deepStrictEqual(
        rejections.map(({ entries, refusal }) => [idsOf(entries), refusal.reason]),
        [[idsOf([broken]), "BadEntry"]]
      )
    })
  )

  it.live("no more writes are under way than it takes", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxBatchEntries: 2, maxPendingWrites: 3 })
      const entries = makeEntries(20)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      assert.strictEqual(yield* writesSoFar(peer), 3)
      peer.ack(yield* peer.next("WriteEntries"))
      assert.strictEqual(yield* writesSoFar(peer), 3)
      for (let batch = 0; batch < 9; batch++) peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("no more frames are under way than it takes, with 1,500 writes to be sent", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxBatchEntries: 1, maxPendingWrites: 64, maxInboundFrames: 16 })
      const entries = makeEntries(1_500)
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      let most = 0
      for (let answered = 0; answered < entries.length; answered++) {
        const request = yield* peer.next("WriteEntries")
        most = Math.max(most, peer.frames.length - answered)
        peer.ack(request)
      }
      yield* writing
      assert.isAtMost(most, 16)
    })
  )

  it.live("each part of a big message counts as a frame", () =>
    Effect.gen(function* () {
      const limits = { maxBatchEntries: 1, maxFrameBytes: 1_104, maxInboundFrames: 20 }
      const { peer, remote } = yield* connectTo({}, limits)
      const writing = yield* background(
        remote.write({ identity, storeId, entries: makeEntries(5, { payload: 3_500 }) })
      )
      assert.strictEqual(yield* writesSoFar(peer), 2)
      for (let batch = 0; batch < 5; batch++) peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("a server of before, which announced no frames, is sent as much as its other limits allow", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* background(connectRemote({ url: server.url }))
      const peer = yield* server.accept
      const { maxInboundFrames: _, maxKeys: __, ...limits } = announcedLimits({ ...defaultLimits, maxBatchEntries: 1 })
      peer.send({ _tag: "Hello", remoteId, protocol: 1, limits })
      const remote = yield* connecting
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(70) }))
      assert.strictEqual(yield* writesSoFar(peer), 64)
      for (let batch = 0; batch < 70; batch++) peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("a write that nobody waits for any more counts until it is answered", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxBatchEntries: 1, maxPendingWrites: 3 })
      const write = remote.write({ identity, storeId, entries: makeEntries(2) })
      const given = yield* Effect.forkChild(write, { startImmediately: true })
      assert.strictEqual(yield* writesSoFar(peer), 2)
      yield* Fiber.interrupt(given)
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(3) }))
      assert.strictEqual(yield* writesSoFar(peer), 3)
      for (let batch = 0; batch < 5; batch++) peer.ack(yield* peer.next("WriteEntries"))
      yield* writing
    })
  )

  it.live("no more bytes are under way than it holds", () =>
    Effect.gen(function* () {
      const { peer, remote } = yield* connectTo({}, { maxBatchEntries: 1, maxInboundBytes: 40_000 })
      const entries = makeEntries(5, { payload: 8_000 })
      const writing = yield* background(remote.write({ identity, storeId, entries }))
      assert.strictEqual(yield* writesSoFar(peer), 2)
      for (const entry of entries) {
        const request = yield* peer.next("WriteEntries")
        assert.deepStrictEqual(idsOf(request.entries), idsOf([entry]))
        peer.ack(request)
      }
      yield* writing
    })
  )

  it.live("an Ack that doesn't fit its request ends the connection, and the write goes on with the next", () =>
    Effect.gen(function* () {
      const { peer, remote, server } = yield* connectTo()
      const writing = yield* background(remote.write({ identity, storeId, entries: makeEntries(2) }))
      const request = yield* peer.next("WriteEntries")
      peer.send({ _tag: "Ack", id: request.id, sequenceNumbers: [1] })
      const second = yield* server.accept
      second.hello()
      second.ack(yield* second.next("WriteEntries"))
      yield* writing
    })
  )
})
