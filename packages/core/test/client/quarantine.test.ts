import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import fc from "fast-check"
import type { Client, ClientStatus, QuarantinedEntry } from "../../src/client/index.ts"
import { HandOver, type Incoming } from "../../src/client/quarantine/handOver.ts"
import { captureLogs, untilStatus } from "./fixtures.ts"
import { added, type Disk, events, makeDisk, startApp, startFeed, textless, toggled } from "./quarantineApp.ts"

const silent = Effect.provide(captureLogs([]))

const untilHeld = (disk: Disk, count: number) =>
  Effect.gen(function* () {
    while ((yield* disk.journal.entries).length < count) yield* Effect.sleep(2)
  })

const untilAside = (client: Client, ...expected: ReadonlyArray<readonly [key: string, reason: string]>) =>
  Effect.map(
    untilStatus(client, ({ quarantined }) => quarantined.count === expected.length),
    (status) => assert.deepStrictEqual(reasons(status), expected)
  )

const reasons = ({ quarantined }: ClientStatus) =>
  quarantined.entries.map(({ entry, reason }) => [entry.primaryKey, reason] as const)

describe("a device with a quarantine", () => {
  it.live("applies 4,998 of 5,000 when one can't be decoded and one throws, and both after an upgrade", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      const entries = Array.from({ length: 5_000 }, (_, index) => added(`t${index}`))
      entries[1_000] = textless("t1000")
      yield* feed(entries)
      const disk = yield* makeDisk
      const told: Array<QuarantinedEntry> = []
      const onQuarantined = (aside: ReadonlyArray<QuarantinedEntry>) => void told.push(...aside)
      const before = yield* startApp(url, disk, { throwsAt: ["t2000"], quarantine: { onQuarantined } })
      yield* untilHeld(disk, 5_000)
      yield* untilAside(before.client, ["t1000", "Undecodable"], ["t2000", "HandlerFailed"])
      assert.deepStrictEqual(
        told.map(({ entry, sequence }) => [entry.primaryKey, sequence]),
        [
          ["t1000", 1_001],
          ["t2000", 2_001]
        ]
      )
      const times = new Map<string, number>()
      for (const key of disk.handled) times.set(key, (times.get(key) ?? 0) + 1)
      assert.strictEqual(times.size, 4_999)
      assert.isAtMost(Math.max(...times.values()), 2)
      yield* before.stop

      disk.handled.length = 0
      const after = yield* startApp(url, disk, { events: events.relaxed })
      yield* untilAside(after.client)
      assert.deepStrictEqual(disk.handled, ["t1000", "t2000"])
    }).pipe(silent)
  )

  it.live("applies an event that was unknown once a version knows it", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([added("a"), toggled("a"), added("b")])
      const disk = yield* makeDisk
      const before = yield* startApp(url, disk, { toggles: false })
      yield* untilHeld(disk, 3)
      yield* untilAside(before.client, ["a", "UnknownEvent"])
      assert.deepStrictEqual(disk.handled, ["a", "b"])
      yield* before.client.retryQuarantined
      yield* before.stop
      const after = yield* startApp(url, disk)
      yield* untilAside(after.client)
      assert.deepStrictEqual(disk.handled, ["a", "b", "a toggled"])
    }).pipe(silent)
  )

  it.live("leaves alone what the app says that it never handles", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([toggled("a"), added("a")])
      const disk = yield* makeDisk
      const { client } = yield* startApp(url, disk, {
        toggles: false,
        quarantine: { ignore: ({ event }) => event === "TodoToggled" }
      })
      yield* untilHeld(disk, 2)
      assert.strictEqual(client.status().quarantined.count, 0)
    }).pipe(silent)
  )

  it.live("lets later entries of a key pass, and tells a late one of those that are newer", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([textless("a", 1), added("a", 2), textless("a", 3), toggled("a", 4)])
      const disk = yield* makeDisk
      const before = yield* startApp(url, disk)
      yield* untilAside(before.client, ["a", "Undecodable"], ["a", "Undecodable"])
      assert.deepStrictEqual(disk.handled.slice(-2), ["a", "a toggled"])
      // One that is older than both, and would have to decode them if they counted as applied.
      yield* feed([added("a", 0)])
      yield* untilHeld(disk, 5)
      assert.strictEqual(disk.conflicts.get("a"), 1)
      yield* untilAside(before.client, ["a", "Undecodable"], ["a", "Undecodable"])
    }).pipe(silent)
  )

  it.live("keeps the order of a key where it is asked to, over batches and retries", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([textless("a", 1), added("b", 2), toggled("a", 3)])
      const disk = yield* makeDisk
      const before = yield* startApp(url, disk, { quarantine: { keepOrder: true } })
      yield* untilAside(before.client, ["a", "Undecodable"], ["a", "Behind"])
      yield* feed([toggled("a", 4), toggled("b", 5)])
      yield* untilHeld(disk, 5)
      yield* before.client.retryQuarantined
      yield* untilAside(before.client, ["a", "Undecodable"], ["a", "Behind"], ["a", "Behind"])
      assert.deepStrictEqual(new Set(disk.handled), new Set(["b", "b toggled"]))
      yield* before.stop
      disk.handled.length = 0
      const after = yield* startApp(url, disk, { events: events.relaxed, quarantine: { keepOrder: true } })
      yield* untilAside(after.client)
      assert.deepStrictEqual(disk.handled, ["a", "a toggled", "a toggled"])
    }).pipe(silent)
  )

  it.live("tries again when it is asked to, and what is refused again stays", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([added("b"), added("a"), added("c")])
      const disk = yield* makeDisk
      const throwsAt = ["a", "c"]
      const { client } = yield* startApp(url, disk, { throwsAt })
      yield* untilAside(client, ["a", "HandlerFailed"], ["c", "HandlerFailed"])
      assert.strictEqual(client.status().quarantined.entries[0]?.message, "no a")
      throwsAt.shift()
      yield* client.retryQuarantined
      yield* untilAside(client, ["c", "HandlerFailed"])
      assert.strictEqual(disk.handled.filter((key) => key === "b").length, 2)
    }).pipe(silent)
  )

  it.live("commits no batch whose poison it can't keep, and takes it when it can", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([added("a"), textless("b")])
      const disk = yield* makeDisk
      const { change } = disk.storage
      let refusals = 2
      const storage = {
        ...disk.storage,
        change: (made: Parameters<typeof change>[0]) =>
          refusals-- > 0
            ? Effect.fail(new EventJournal.EventJournalError({ method: "change", cause: "the disk is full" }))
            : change(made)
      }
      const { client } = yield* startApp(url, { ...disk, storage })
      yield* Effect.yieldNow
      assert.lengthOf(yield* disk.journal.entries, 0)
      yield* untilHeld(disk, 2)
      yield* untilAside(client, ["b", "Undecodable"])
    }).pipe(silent)
  )

  it.live("goes on when a compactor dies, or whoever is told of it throws", () =>
    Effect.gen(function* () {
      const { feed, url } = yield* startFeed
      yield* feed([added("a"), textless("b")])
      const disk = yield* makeDisk
      const compaction = EventLog.groupCompaction(events.old, () => Effect.die("broken"))
      const onQuarantined = () => {
        throw new Error("broken, too")
      }
      const { client } = yield* startApp(url, disk, { compaction, quarantine: { onQuarantined } })
      yield* untilHeld(disk, 2)
      yield* untilAside(client, ["b", "Undecodable"])
    }).pipe(silent)
  )

  it.effect.each([
    ["fails", Effect.fail(new Error("no")), "no"],
    ["fails with what can't be told", Effect.fail(Object.create(null)), "Something was thrown that is no error"],
    ["interrupts itself", Effect.interrupt, "All fibers interrupted without error"]
  ] as const)("sets aside an entry whose handler %s", ([, apply, message]) =>
    Effect.gen(function* () {
      const rules = { handlers: undefined, keepOrder: () => false, ignore: () => false, apply: () => apply }
      const { aside, applied } = yield* new HandOver(rules, []).run([{ entry: added("a"), conflicts: [] }])
      assert.deepStrictEqual([aside[0]?.reason, aside[0]?.message, applied], ["HandlerFailed", message, []])
    })
  )

  it.effect("sets nothing aside because it is interrupted itself", () =>
    Effect.gen(function* () {
      const rules = { handlers: undefined, keepOrder: () => false, ignore: () => false, apply: () => Effect.never }
      const running = yield* Effect.forkChild(new HandOver(rules, []).run([{ entry: added("a"), conflicts: [] }]), {
        startImmediately: true
      })
      yield* Fiber.interrupt(running)
      const exit = yield* Fiber.await(running)
      assert.isTrue(Exit.isFailure(exit))
    })
  )

  it("applies all in the end, each key in its order, whatever throws meanwhile", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(39)),
        fc.integer({ min: 1, max: 10 }),
        (keys, throwing, size) => Effect.runPromise(appliesInOrder(keys, throwing, size))
      )
    ))
})

/** Hands entries of these keys over in batches, while those at some places throw, and then what was set aside. */
const appliesInOrder = Effect.fnUntraced(function* (
  keys: ReadonlyArray<number>,
  throwing: ReadonlyArray<number>,
  size: number
) {
  const entries = keys.map((key, index) => added(`${key}`, index + 1))
  const broken = new Set(throwing.map((index) => entries[index]?.idString))
  const applied = new Set<string>()
  const applyOne = ({ entry }: Incoming) =>
    broken.has(entry.idString) ? Effect.die("broken") : Effect.sync(() => applied.add(entry.idString))
  const rules = {
    handlers: undefined,
    keepOrder: () => true,
    ignore: () => false,
    apply: (batch: ReadonlyArray<Incoming>) => Effect.forEach(batch, applyOne, { discard: true })
  }
  const waiting: Array<EventJournal.Entry> = []
  for (let from = 0; from < entries.length; from += size) {
    const batch = entries.slice(from, from + size).map((entry) => ({ entry, conflicts: [] }))
    const { aside } = yield* new HandOver(rules, waiting).run(batch)
    waiting.push(...aside.map(({ entry }) => entry))
  }
  broken.clear()
  yield* new HandOver(rules, []).run(waiting.map((entry) => ({ entry, conflicts: [] })))
  assert.strictEqual(applied.size, entries.length)
  for (const key of new Set(keys)) {
    const own = entries.filter(({ primaryKey }) => primaryKey === `${key}`).map(({ idString }) => idString)
    assert.deepStrictEqual(
      [...applied].filter((id) => own.includes(id)),
      own
    )
  }
})
