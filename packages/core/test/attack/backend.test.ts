import { Device } from "@eventlog-server/testkit/devices"
import { type Fault, faultKinds, faultyBackend } from "@eventlog-server/testkit/faults"
import { silent, Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey, type SigningKey } from "@eventlog-server/testkit/signing"
import type { EventJournal } from "effect/eventlog"
import { expect, it, onTestFinished } from "vitest"
import { groupCompaction, keepLast, memoryBackend } from "../../src/index.ts"
import { readAll, startServer } from "../server/host.ts"
import { turnOfTheLoop, watchRejections } from "./rejections.ts"

const attempts = 40
const giveUpMillis = 60_000
const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Tries again until a step succeeds, as a client or an operator would. */
const eventually = async <A>(step: () => Promise<A>): Promise<A> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step()
    } catch (error) {
      if (attempt === attempts) throw error
      await pause(10)
    }
  }
}

/** What came first of messages that exclude each other. */
const firstOf = (device: Device, ...tags: ReadonlyArray<string>) =>
  device.received.find(({ _tag }) => tags.includes(_tag))

/** Devices that connect, prove and ask again until they are answered. */
const makeConnect = (url: string) => {
  const opened: Array<Device> = []
  onTestFinished(() => {
    for (const { socket } of opened) socket.terminate()
  })
  const connect = async (publicKey: string, key: SigningKey): Promise<Device> => {
    const device = await Device.open(url)
    opened.push(device)
    device.send(await device.proof(publicKey, key))
    const answer = await device.until(() => firstOf(device, "Authenticated", "Error"))
    if (answer._tag === "Error") throw new Error("not proved")
    return device
  }
  return (publicKey: string, key: SigningKey) => eventually(() => connect(publicKey, key))
}

/** Writes a batch until it is acknowledged, and remembers the sequences. */
const write = async (
  device: Device,
  publicKey: string,
  entries: ReadonlyArray<EventJournal.Entry>,
  acked: Map<string, number>
) => {
  const ack = await eventually(async () => {
    const answer = await device.write(publicKey, entries)
    if (answer._tag === "Error") throw answer
    return answer
  })
  for (const [index, entry] of entries.entries()) acked.set(entry.idString, ack.sequenceNumbers[index]!)
}

const day = 24 * 60 * 60 * 1000

/** Everything a server does, once, against a backend that may fail in between. Answers how often each member was called. */
const runScenario = async (fault?: Fault): Promise<ReadonlyMap<string, number>> => {
  const { backend, calls } = faultyBackend(memoryBackend(), fault)
  const handled: Array<string> = []
  const { server, url } = await startServer({
    backend,
    sessionAuth: "required",
    reauthorizeInterval: 20,
    sweepInterval: 50,
    enroll: () => "enrolled",
    handlers: {
      TodoAdded: ({ entry, storeId }) => void handled.push(`${storeId} ${entry.idString}`),
      TodoToggled: () => {}
    },
    compaction: [groupCompaction(Todos, { olderThan: "30 days" }, keepLast())],
    logger: silent
  })
  await eventually(() => server.ready())
  const connect = makeConnect(url)
  const acked = new Map<string, number>()
  const key = makeSigningKey()

  for (const publicKey of ["A", "gone"]) await eventually(() => server.assign({ publicKey, storeId: "store" }))
  const writer = await connect("A", key)
  const old = Date.now() - 60 * day
  await write(writer, "A", [todoAdded("old", { msecs: old }), todoAdded("old", { msecs: old + 1 })], acked)
  await write(writer, "A", [todoAdded("x"), todoAdded("y")], acked)
  await eventually(() => server.processed({ storeId: "store", sequence: 4 }))
  // Late and older than what was handled: its conflicts are looked up.
  await write(writer, "A", [todoAdded("x", { msecs: Date.now() - day })], acked)
  await eventually(() => server.write({ storeId: "store", event: "TodoAdded", payload: { id: "s", text: "" } }))

  const reader = await eventually(async () => {
    const device = await connect("A", key)
    const answer = await device.subscribe("A")
    if (answer._tag === "Error") throw answer
    // A backend that breaks its word ends a subscription; it says so.
    if ((await device.until(() => firstOf(device, "CaughtUp", "Error")))._tag === "Error") throw new Error("it ended")
    return device
  })
  await write(writer, "A", [todoAdded("live")], acked)
  // The binding and the access of a live subscription are checked again.
  const { signingPublicKey } = key
  await eventually(() => server.assign({ publicKey: "A", storeId: "store", signingPublicKey }))
  await pause(30)

  const newcomer = await connect("N", makeSigningKey())
  const enrolled = new Map<string, number>()
  await write(newcomer, "N", [todoAdded("n")], enrolled)
  await eventually(() => server.remove("gone"))
  await eventually(() => server.erase("scratch"))
  expect((await eventually(() => server.keys())).map(({ publicKey }) => publicKey)).toEqual(["A", "N"])

  const stored = await eventually(() => readAll(server, "store"))
  const head = stored.length
  expect(stored.map(({ remoteSequence }) => remoteSequence)).toEqual(stored.map((_, index) => index + 1))
  expect(new Set(stored.map(({ entry }) => entry.idString)).size).toBe(head)
  for (const [id, sequence] of acked) expect(stored[sequence - 1]?.entry.idString).toBe(id)
  for (const sequence of enrolled.values()) expect(sequence).toBe(1)

  // A subscription outlives every outage; one that the backend's defect ended says so, and the device asks again.
  const last = (device: Device) => device.delivered("A").at(-1)?.remoteSequence
  const isAlive = (device: Device) =>
    device.closed === undefined && !device.received.some(({ _tag }) => _tag === "Error")
  const caughtUp = await eventually(async () => {
    if (isAlive(reader)) {
      await reader.until(() => (last(reader) === head || !isAlive(reader) ? true : undefined))
      if (last(reader) === head) return reader
    }
    const device = await connect("A", key)
    await device.subscribe("A")
    await device.until(() => (last(device) === head || !isAlive(device) ? true : undefined))
    if (last(device) !== head) throw new Error("the subscription ended")
    return device
  })
  const delivered = caughtUp.delivered("A").map(({ remoteSequence }) => remoteSequence)
  // All but the first, which the second one of its key replaced.
  expect(delivered.slice(-(head - 2))).toEqual(Array.from({ length: head - 2 }, (_, index) => index + 3))
  expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b))

  await eventually(() => server.processed({ storeId: "store", sequence: head }))
  await eventually(() => server.processed({ storeId: "enrolled", sequence: 1 }))
  const ids = stored.map(({ entry }) => `store ${entry.idString}`)
  expect(new Set(handled.filter((line) => line.startsWith("store ")))).toEqual(new Set(ids))
  // A handler is repeated only where the cursor could not be moved; its first runs are in order.
  expect([...new Set(handled)].filter((line) => line.startsWith("store "))).toEqual(ids)
  await server.close()
  return calls
}

const bounded = async (fault: Fault): Promise<string | undefined> => {
  const timeout = pause(giveUpMillis).then(() => Promise.reject(new Error("it hangs")))
  timeout.catch(() => {})
  return Promise.race([runScenario(fault), timeout]).then(
    () => undefined,
    (error) =>
      `${fault.member} call ${fault.nth} ${fault.kind}: ${error instanceof Error ? error.message : JSON.stringify(error)}`
  )
}

/** Every member that a server calls while nothing is lost and no handler fails. */
const members = [
  "FeedAdmin.check",
  "FeedAdmin.erase",
  "FeedAdmin.id",
  "FeedStore.append",
  "FeedStore.bucket",
  "FeedStore.bucketBounds",
  "FeedStore.head",
  "FeedStore.read",
  "FeedStore.wakeups",
  "Progress.behind",
  "Progress.cursors",
  "Progress.failures.list",
  "Progress.lease",
  "Progress.lease.advance",
  "Progress.raiseCutoffs",
  "Registry.assign",
  "Registry.bind",
  "Registry.changes",
  "Registry.enroll",
  "Registry.list",
  "Registry.remove",
  "Registry.resolve"
]

it("converges whichever call of the backend fails, and however", { timeout: 120_000 }, async () => {
  const unhandled = watchRejections()
  const calls = await runScenario()
  const most = process.env.EVENTLOG_TEST_LONG === undefined ? 2 : 1_000
  const faults = [...calls].flatMap(([member, count]) =>
    Array.from({ length: Math.min(count, most) }, (_, index) => index + 1).flatMap((nth) =>
      faultKinds.map((kind): Fault => ({ member, nth, kind }))
    )
  )
  const failures: Array<string> = []
  const work = faults.values()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const fault of work) {
        const failure = await bounded(fault)
        if (failure !== undefined) failures.push(failure)
      }
    })
  )
  expect(failures).toEqual([])
  expect([...calls.keys()].sort()).toEqual(members)
  await turnOfTheLoop()
  expect(unhandled).toEqual([])
})
