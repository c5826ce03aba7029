import { withFeedStore } from "@eventlog-server/testkit/faults"
import { todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { Deferred, Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { memoryBackend, StorageError } from "../../src/index.ts"
import { openDevice, readAll, startServer } from "./host.ts"

const storeId = "store"

/** An id as a device's clock would make it `hours` from now. */
const idFrom = (hours: number) => ({ msecs: Date.now() + hours * 60 * 60 * 1000 })

/** The same entry with other bytes in its id. */
const withIdBytes = (entry: EventJournal.Entry, at: number, ...bytes: ReadonlyArray<number>): EventJournal.Entry => {
  const id = Uint8Array.from(entry.id) as EventJournal.EntryId
  id.set(bytes, at)
  return new EventJournal.Entry({ ...entry, id })
}

describe("writing", () => {
  it("merges what 64 writers send while an append is in flight", async () => {
    let appends = 0
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (storeId, records) => {
        appends++
        return Effect.andThen(Effect.sleep(5), store.append(storeId, records))
      }
    }))
    const { server, url } = await startServer({ backend })
    await server.assign({ publicKey: "A", storeId })
    const devices = await Promise.all(Array.from({ length: 64 }, () => openDevice(url)))
    const answers = await Promise.all(
      devices.flatMap((device, index) =>
        Array.from({ length: 4 }, (_, round) => device.write("A", [todoAdded(`${index}-${round}`)]))
      )
    )
    const sequences = answers.flatMap((answer) => (answer._tag === "Ack" ? answer.sequenceNumbers : []))
    expect(sequences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 256 }, (_, index) => index + 1))
    expect(appends).toBeLessThan(64)
  })

  it("acknowledges only after the append returned", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (storeId, records) => Effect.andThen(Deferred.await(gate), store.append(storeId, records))
    }))
    const { server, url } = await startServer({ backend })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const answer = device.write("A", [todoAdded("a")])
    await device.settled()
    expect(device.received.some((message) => message._tag === "Ack")).toBe(false)
    Effect.runSync(Deferred.succeed(gate, undefined))
    expect(await answer).toMatchObject({ _tag: "Ack" })
  })

  it("commits what a device sent before it vanished, together with the others' writes", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (storeId, records) => Effect.andThen(Deferred.await(gate), store.append(storeId, records))
    }))
    const { server, url } = await startServer({ backend })
    await server.assign({ publicKey: "A", storeId })
    const [first, leaver, stayer] = [await openDevice(url), await openDevice(url), await openDevice(url)]
    const begun = first.write("A", [todoAdded("first")])
    await first.settled()
    leaver.send({ _tag: "WriteEntries", id: 1, publicKey: "A", entries: [todoAdded("leaver")] })
    await leaver.settled()
    const stayed = stayer.write("A", [todoAdded("stayer")])
    await stayer.settled()
    leaver.socket.terminate()
    await leaver.untilClosed()
    Effect.runSync(Deferred.succeed(gate, undefined))
    expect(await begun).toMatchObject({ sequenceNumbers: [1] })
    expect(await stayed).toMatchObject({ sequenceNumbers: [3] })
  })

  it("keeps one request's failure from the others of its group", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (storeId, records) =>
        Effect.andThen(
          Deferred.await(gate),
          records.some(({ entry }) => entry.primaryKey === "poison")
            ? Effect.fail(new StorageError({ operation: "FeedStore.append", retryable: false, cause: "poison" }))
            : store.append(storeId, records)
        )
    }))
    const { server, url } = await startServer({ backend })
    await server.assign({ publicKey: "A", storeId })
    const devices = await Promise.all(["a", "b", "poison", "c"].map(() => openDevice(url)))
    const answers: Array<Promise<unknown>> = []
    for (const [index, key] of ["a", "b", "poison", "c"].entries()) {
      answers.push(devices[index]!.write("A", [todoAdded(key)]))
      await devices[index]!.settled()
    }
    Effect.runSync(Deferred.succeed(gate, undefined))
    expect(await Promise.all(answers)).toMatchObject([
      { sequenceNumbers: [1] },
      { sequenceNumbers: [2] },
      { _tag: "Error", code: "InternalServerError", retryable: false },
      { sequenceNumbers: [3] }
    ])
    const stored = await readAll(server, storeId)
    expect(stored.map(({ entry }) => entry.primaryKey)).toEqual(["a", "b", "c"])
  })

  it("tells a client to retry while the storage is away", async () => {
    let isAway = true
    const backend = withFeedStore(memoryBackend(), (store) => ({
      append: (storeId, records) =>
        isAway
          ? Effect.fail(new StorageError({ operation: "FeedStore.append", retryable: true, cause: "secret host name" }))
          : store.append(storeId, records)
    }))
    const { server, url } = await startServer({ backend })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const refused = await device.write("A", [todoAdded("a")])
    expect(refused).toMatchObject({ _tag: "Error", code: "Unavailable", reason: "Unavailable", retryable: true })
    expect(JSON.stringify(refused)).not.toContain("secret")
    isAway = false
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ sequenceNumbers: [1] })
  })

  it("gives a repeated entry its first sequence: in a batch, in another, on another node", async () => {
    const backend = memoryBackend()
    const [one, two] = [await startServer({ backend }), await startServer({ backend })]
    await one.server.assign({ publicKey: "A", storeId })
    const [a, b] = [await openDevice(one.url), await openDevice(two.url)]
    const [x, y, z] = todosAdded(3) as [EventJournal.Entry, EventJournal.Entry, EventJournal.Entry]
    expect(await a.write("A", [x, y, x])).toMatchObject({ sequenceNumbers: [1, 2, 1] })
    expect(await b.write("A", [y, z, x])).toMatchObject({ sequenceNumbers: [2, 3, 1] })
    expect(await a.write("A", [])).toMatchObject({ _tag: "Ack", sequenceNumbers: [] })
  })

  it.each([
    ["version 4", withIdBytes(todoAdded("bad"), 6, 0x40), "BadEntry", false],
    ["wrong variant", withIdBytes(todoAdded("bad"), 8, 0x3f), "BadEntry", false],
    ["25 hours ahead", todoAdded("bad", idFrom(25)), "ClockSkew", true],
    ["the end of time", withIdBytes(todoAdded("bad"), 0, 255, 255, 255, 255, 255, 255), "ClockSkew", true],
    ["U+0000", todoAdded("a\u0000b"), "BadEntry", false]
  ])("refuses an entry id or name that no feed may hold: %s", async (_, bad, reason, retryable) => {
    const asked: Array<string> = []
    const { server, url } = await startServer({ auth: { read: () => {}, write: () => void asked.push("write") } })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    for (const entries of [[todoAdded("good"), bad], [bad]]) {
      const answer = await device.write("A", entries)
      expect(answer).toMatchObject({ _tag: "Error", code: "InvalidRequest", reason, retryable })
      expect(answer).toMatchObject({ entryIds: [Uint8Array.from(bad.id)] })
    }
    expect(await readAll(server, storeId)).toEqual([])
    // Nor need the app's own check be ready for such entries.
    expect(asked).toEqual([])
  })

  it("accepts an id that is 23 hours ahead", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    expect(await device.write("A", [todoAdded("a", idFrom(23))])).toMatchObject({ sequenceNumbers: [1] })
  })

  it("acks a compaction's replacement with 0 and never stores it", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const replacement = withIdBytes(todoAdded("r"), 6, 0x80)
    expect(await device.write("A", [todoAdded("a"), replacement, todoAdded("b")])).toMatchObject({
      sequenceNumbers: [1, 0, 2]
    })
    const stored = await readAll(server, storeId)
    expect(stored.map(({ entry }) => entry.primaryKey)).toEqual(["a", "b"])
  })
})
