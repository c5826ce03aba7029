import { Effect, Exit, Option, PubSub, type Scope } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"

type Journal = EventJournal.EventJournal["Service"]
type Entry = EventJournal.Entry

/** How a journal under test is opened: an empty one, as long as the scope lives. */
export type OpenJournal = Effect.Effect<Journal, EventJournal.EventJournalError, Scope.Scope>

/** One thing that every journal of effect's interface does. It fails where it doesn't. */
export interface JournalCase {
  readonly name: string
  readonly run: (journal: Journal) => Effect.Effect<void, unknown, Scope.Scope>
}

/** Runs in browsers, so it stands on no test runner. */
const same = (actual: unknown, expected: unknown, what = "what was found"): void => {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what} is ${a}, and should be ${b}`)
}

const fields = (primaryKey: string, event = "Added") => ({
  event,
  primaryKey,
  payload: new TextEncoder().encode(primaryKey)
})

/** An entry of another device. Its payload lies in a bigger buffer, as one that was cut out of a frame. */
const foreign = (primaryKey: string, msecs: number, event = "Added"): Entry =>
  new EventJournal.Entry(
    {
      ...fields(primaryKey, event),
      id: EventJournal.makeEntryIdUnsafe({ msecs }),
      payload: new TextEncoder().encode(`--${primaryKey}--`).subarray(2, -2)
    },
    { disableChecks: true }
  )

const keys = (entries: ReadonlyArray<Entry>) => entries.map(({ primaryKey }) => primaryKey)
const contents = (entries: ReadonlyArray<Entry | undefined>) =>
  entries.map((entry) => entry && [entry.primaryKey, new TextDecoder().decode(entry.payload), entry.idString])

const remoteOf = (byte: number): EventJournal.RemoteId =>
  new Uint8Array(16).fill(byte) as Uint8Array as EventJournal.RemoteId
const server = remoteOf(1)
const other = remoteOf(2)

const write = (journal: Journal, primaryKey: string, event?: string) =>
  journal.write({ ...fields(primaryKey, event), effect: Effect.succeed })

/** What a journal handed over of a batch: each primary key, with those of its conflicts. */
type Handed = Array<readonly [key: string, conflicts: ReadonlyArray<string>]>

const receive = (
  journal: Journal,
  entries: ReadonlyArray<readonly [sequence: number, entry: Entry]>,
  remoteId = server
) => {
  const handed: Handed = []
  return journal
    .writeFromRemote({
      remoteId,
      entries: entries.map(([remoteSequence, entry]) => ({ remoteSequence, entry })),
      effect: (batch) =>
        Effect.sync(() => {
          for (const { conflicts, entry } of batch) handed.push([entry.primaryKey, keys(conflicts)])
        })
    })
    .pipe(Effect.map(({ duplicateEntries }) => ({ handed, duplicates: keys(duplicateEntries) })))
}

const unsent = (journal: Journal, remoteId = server) =>
  Effect.map(
    journal.withRemoteUncommited(remoteId, (entries) => Effect.succeed(keys(entries))),
    Option.getOrElse(() => ["nothing"])
  )

/** The same, and nothing is taken as sent. */
const peek = (journal: Journal, remoteId = server) =>
  journal
    .withRemoteUncommited(remoteId, (entries) => Effect.fail(keys(entries)))
    .pipe(
      Effect.as(["nothing"]),
      Effect.catch((found) => (Array.isArray(found) ? Effect.succeed(found) : Effect.die(found)))
    )

/** What every journal does, whatever it is kept in. */
export const journalCases: ReadonlyArray<JournalCase> = [
  {
    name: "holds what is written, in rising order, and tells of it once it is committed",
    run: Effect.fnUntraced(function* (journal) {
      const changes = yield* journal.changes
      const first = yield* write(journal, "a")
      const rest = yield* journal.writeMany({ entries: [fields("b"), fields("c")], effect: Effect.succeed })
      same(contents(yield* journal.entries), contents([first, ...rest]))
      same(keys(yield* PubSub.takeUpTo(changes, 10)), ["a", "b", "c"])
      const ids = (yield* journal.entries).map(({ idString }) => idString)
      same(ids, ids.toSorted())
    })
  },
  {
    name: "writes nothing when the effect fails, dies or is interrupted",
    run: Effect.fnUntraced(function* (journal) {
      const changes = yield* journal.changes
      const entries = [fields("a"), fields("b")] as const
      for (const effect of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        const exit = yield* Effect.exit(journal.writeMany({ entries, effect: () => effect }))
        same(Exit.isFailure(exit), true)
      }
      same(yield* journal.entries, [])
      same(yield* PubSub.takeUpTo(changes, 10), [])
      same(yield* unsent(journal), ["nothing"])
    })
  },
  {
    name: "gives local entries ids behind all that it has, whatever the clock of another device said",
    run: Effect.fnUntraced(function* (journal) {
      const ahead = foreign("ahead", Date.now() + 3_600_000)
      yield* receive(journal, [[1, ahead]])
      yield* write(journal, "a")
      yield* journal.writeMany({ entries: [fields("b"), fields("c")], effect: Effect.succeed })
      same(keys(yield* journal.entries), ["ahead", "a", "b", "c"])
    })
  },
  {
    name: "takes a server's batch in the order of ids, each entry once, and tells which it had",
    run: Effect.fnUntraced(function* (journal) {
      const [a, b, c] = [foreign("a", 1), foreign("b", 2), foreign("c", 3)]
      const first = yield* receive(journal, [
        [1, b],
        [2, a],
        [3, b]
      ])
      same(first, {
        handed: [
          ["a", []],
          ["b", []]
        ],
        duplicates: []
      })
      same(yield* journal.nextRemoteSequence(server), 4)
      const second = yield* receive(journal, [
        [3, b],
        [4, c],
        [4, a]
      ])
      same(second, { handed: [["c", []]], duplicates: ["b", "a"] })
      same(yield* journal.nextRemoteSequence(server), 5)
      same(yield* receive(journal, [[2, a]]), { handed: [], duplicates: ["a"] })
      same(yield* journal.nextRemoteSequence(server), 5)
      same(yield* journal.nextRemoteSequence(other), 0)
      same(contents(yield* journal.entries), contents([a, b, c]))
    })
  },
  {
    name: "has the stored entries as conflicts that are newer and of the same event and primary key",
    run: Effect.fnUntraced(function* (journal) {
      yield* receive(journal, [
        [1, foreign("x", 10)],
        [2, foreign("x", 30)],
        [3, foreign("x", 30, "Removed")],
        [4, foreign("y", 40)]
      ])
      yield* write(journal, "x")
      const { handed } = yield* receive(journal, [
        [5, foreign("y", 50)],
        [6, foreign("x", 20)],
        [7, foreign("x", 5)],
        [8, foreign("x", Date.now() + 60_000)]
      ])
      same(handed, [
        ["x", ["x", "x", "x"]],
        ["x", ["x", "x"]],
        ["y", []],
        ["x", []]
      ])
    })
  },
  {
    name: "finds conflicts and duplicates among many, near and far",
    run: Effect.fnUntraced(function* (journal) {
      const stored = Array.from({ length: 300 }, (_, index) => foreign(`k${index % 7}`, 1_000 + index))
      yield* receive(
        journal,
        stored.map((entry, index) => [index + 1, entry])
      )
      const { duplicates, handed } = yield* receive(journal, [
        [301, foreign("k3", 1_289)],
        [302, stored[0]!],
        [303, stored[299]!],
        [304, foreign("k0", 1)]
      ])
      same(duplicates, ["k0", keys([stored[299]!])[0]])
      same(
        handed.map(([key, conflicts]) => [key, conflicts.length]),
        [
          ["k0", 43],
          [
            "k3",
            stored.filter(({ createdAtMillis, primaryKey }) => primaryKey === "k3" && createdAtMillis > 1_289).length
          ]
        ]
      )
    })
  },
  {
    name: "commits nothing of a batch whose effect fails, and takes it again",
    run: Effect.fnUntraced(function* (journal) {
      const a = foreign("a", 1)
      const entries = [{ remoteSequence: 7, entry: a }]
      const failing = journal.writeFromRemote({ remoteId: server, entries, effect: () => Effect.die("no") })
      same(Exit.isFailure(yield* Effect.exit(failing)), true)
      same([yield* journal.nextRemoteSequence(server), (yield* journal.entries).length], [0, 0])
      same((yield* receive(journal, [[7, a]])).handed, [["a", []]])
      same(yield* journal.nextRemoteSequence(server), 8)
    })
  },
  {
    name: "hands over what a compactor made of a batch, and holds what came",
    run: Effect.fnUntraced(function* (journal) {
      const [a, b, c] = [foreign("a", 1), foreign("a", 2), foreign("c", 3)]
      const handed: Array<string> = []
      yield* journal.writeFromRemote({
        remoteId: server,
        entries: [a, b, c].map((entry, index) => ({ remoteSequence: index + 1, entry })),
        compact: (fresh) => Effect.succeed(fresh.filter(({ entry }) => entry !== a).map(({ entry }) => entry)),
        effect: (batch) => Effect.sync(() => handed.push(...batch.map(({ entry }) => entry.idString)))
      })
      same(handed, [b.idString, c.idString])
      same(keys(yield* journal.entries), ["a", "a", "c"])
      const skipped = yield* Effect.exit(
        journal.writeFromRemote({
          remoteId: server,
          entries: [{ remoteSequence: 9, entry: foreign("d", 9) }],
          compact: () => Effect.succeed([]),
          effect: () => Effect.die("nothing is left to be handled")
        })
      )
      same([Exit.isSuccess(skipped), yield* journal.nextRemoteSequence(server)], [true, 10])
    })
  },
  {
    name: "hands a server what it lacks, until that went through",
    run: Effect.fnUntraced(function* (journal) {
      same(yield* unsent(journal), ["nothing"])
      yield* write(journal, "a")
      yield* receive(journal, [[1, foreign("theirs", 1)]])
      yield* write(journal, "b")
      same(yield* peek(journal), ["a", "b"])
      same(yield* unsent(journal), ["a", "b"])
      same(yield* unsent(journal), ["nothing"])
      same(yield* unsent(journal, other), ["theirs", "a", "b"])
      yield* receive(journal, [[1, foreign("of the other", 2)]], other)
      yield* write(journal, "c")
      same(yield* unsent(journal), ["of the other", "c"])
      same(yield* unsent(journal, other), ["c"])
    })
  },
  {
    name: "forgets nothing that is written while a backlog is sent",
    run: Effect.fnUntraced(function* (journal) {
      yield* write(journal, "a")
      yield* journal.withRemoteUncommited(server, () => write(journal, "meanwhile"))
      same(yield* peek(journal), ["meanwhile"])
      yield* journal.withRemoteUncommited(server, () => Effect.andThen(unsent(journal), write(journal, "later")))
      same(yield* peek(journal), ["later"])
    })
  },
  {
    name: "moves its cursor over acks without a gap only",
    run: Effect.fnUntraced(function* (journal) {
      const ack = (...sequences: ReadonlyArray<number>) =>
        journal.writeRemoteAcks({
          remoteId: server,
          firstSequence: 1,
          acks: sequences.map((sequence) => ({ sequence, entryId: EventJournal.makeEntryIdUnsafe() }))
        })
      yield* ack(3, 2)
      same(yield* journal.nextRemoteSequence(server), 1)
      yield* ack(2, 1, 5)
      same(yield* journal.nextRemoteSequence(server), 3)
      yield* ack(1)
      same(yield* journal.nextRemoteSequence(server), 3)
    })
  },
  {
    name: "finds entries by their ids, in the order that is asked for",
    run: Effect.fnUntraced(function* (journal) {
      const a = yield* write(journal, "a")
      const b = yield* write(journal, "b")
      const unknown = EventJournal.makeEntryIdUnsafe()
      same(contents(yield* journal.entriesById([b.id, unknown, a.id])), contents([b, undefined, a]))
      same(yield* journal.entriesById([]), [])
    })
  },
  {
    name: "lets one at a time have the lock of a store, and others that of another",
    run: Effect.fnUntraced(function* (journal) {
      const [one, two] = [EventLogMessage.StoreId.make("one"), EventLogMessage.StoreId.make("two")]
      const order: Array<string> = []
      const slow = (name: string) =>
        Effect.sync(() => order.push(`${name} begins`)).pipe(
          Effect.andThen(journal.withLock(two)(Effect.void)),
          Effect.andThen(Effect.sleep(5)),
          Effect.andThen(Effect.sync(() => order.push(`${name} ends`)))
        )
      yield* Effect.all([journal.withLock(one)(slow("a")), journal.withLock(one)(slow("b"))], { concurrency: 2 })
      same(order, ["a begins", "a ends", "b begins", "b ends"])
      same(yield* journal.withLock(one)(Effect.flip(journal.withLock(two)(Effect.fail("as it is")))), "as it is")
    })
  },
  {
    name: "gives the lock back when who has it or waits for it is interrupted",
    run: Effect.fnUntraced(function* (journal) {
      const store = EventLogMessage.StoreId.make("store")
      const held = journal.withLock(store)(Effect.never)
      yield* Effect.timeoutOption(held, 5)
      yield* journal.withLock(store)(Effect.timeoutOption(held, 5))
      same(yield* journal.withLock(store)(Effect.succeed("free")), "free")
    })
  }
]

/** Numbers that look random, the same ones for each seed. */
const makeRandom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Does the same things at random to a journal and to effect's own in memory, and compares all that they say. */
export const compareWithModel = Effect.fnUntraced(function* (journal: Journal, seed: number) {
  const model = yield* EventJournal.makeMemory
  const random = makeRandom(seed)
  const pool = Array.from({ length: 60 }, () =>
    foreign(`k${random(6)}`, 1 + random(40), random(2) === 0 ? "Added" : "Removed")
  )
  const next = new Map([
    [server, 1],
    [other, 1]
  ])
  for (let step = 0; step < 60; step++) {
    const remote = random(4) === 0 ? other : server
    const kind = random(6)
    const what = `step ${step} of seed ${seed}`
    if (kind < 2) {
      const name = `k${random(6)}`
      const events = Array.from({ length: 1 + random(3) }, () => (random(2) === 0 ? "Added" : "Removed"))
      for (const each of [journal, model]) {
        yield* each.writeMany({
          entries: [fields(name, "Added"), ...events.map((event) => fields(name, event))],
          effect: () => Effect.void
        })
      }
    } else if (kind < 4) {
      let sequence = Math.max(1, next.get(remote)! - random(3))
      const batch = Array.from({ length: 1 + random(8) }, () => [sequence++, pool[random(pool.length)]!] as const)
      next.set(remote, Math.max(next.get(remote)!, sequence))
      same(yield* receive(journal, batch, remote), yield* receive(model, batch, remote), what)
    } else if (kind === 4) {
      same(yield* peek(journal, remote), yield* peek(model, remote), what)
    } else {
      same(yield* unsent(journal, remote), yield* unsent(model, remote), what)
    }
    same(yield* journal.nextRemoteSequence(remote), yield* model.nextRemoteSequence(remote), what)
    same(keys(yield* journal.entries).toSorted(), keys(yield* model.entries).toSorted(), what)
  }
})
