import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { BucketRange, BucketSelection, FeedRecord } from "../../backend/FeedStore.ts"
import { contents, freshStoreId, makeRecord, sequencesOf } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const idAt = (position: number) => EventJournal.makeEntryIdUnsafe({ msecs: 1_700_000_000_000 + position })

const all = { fromSequence: 1, toSequence: 1_000 }
const oldest: BucketSelection = { order: "sequence", maxEntries: 100, maxBytes: 1_000_000 }
const newest: BucketSelection = { order: "newest", maxEntries: 100, maxBytes: 1_000_000 }

/** Sequences 1 to 8. The ids of the bucket (Set, a) come in the order 30, 10, 20, 40. */
const feed = (): ReadonlyArray<FeedRecord> => [
  makeRecord({ event: "Set", primaryKey: "a", id: idAt(30) }),
  makeRecord({ event: "Set", primaryKey: "b", id: idAt(15) }),
  makeRecord({ event: "Set", primaryKey: "a", id: idAt(10) }),
  makeRecord({ event: "Cleared", primaryKey: "a", id: idAt(25) }),
  makeRecord({ event: "Set", primaryKey: "a", id: idAt(20), transportOnly: true }),
  makeRecord({ event: "Set", primaryKey: "a", id: idAt(40) }),
  makeRecord({ event: "Noted", primaryKey: "a", id: idAt(35) }),
  makeRecord({ event: "Cleared", primaryKey: "a", id: idAt(5) })
]

export const bucket: Topic = (check) => {
  const selects = (
    title: string,
    selection: BucketSelection,
    ranges: ReadonlyArray<BucketRange>,
    expected: ReadonlyArray<ReadonlyArray<number>>
  ) =>
    check(title, ({ node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        yield* node.feeds.append(storeId, feed())
        const found = yield* peer.feeds.bucket(storeId, ranges, selection)
        expect(found.map(sequencesOf)).toEqual(expected)
      })
    )

  selects(
    "answers the entries of an event and a primary key, lowest sequence first",
    oldest,
    [{ ...all, events: ["Set"], primaryKey: "a" }],
    [[1, 3, 5, 6]]
  )
  selects("answers the greatest ids first", newest, [{ ...all, events: ["Set"], primaryKey: "a" }], [[6, 1, 5, 3]])
  selects(
    "takes several events as one bucket, and an event that is named twice once",
    newest,
    [{ ...all, events: ["Set", "Cleared", "Set"], primaryKey: "a" }],
    [[6, 1, 4, 5, 3, 8]]
  )
  selects(
    "includes both ends of a range of sequences",
    oldest,
    [
      { events: ["Set"], primaryKey: "a", fromSequence: 3, toSequence: 5 },
      { events: ["Set"], primaryKey: "a", fromSequence: 2, toSequence: 2 },
      { events: ["Set"], primaryKey: "a", fromSequence: 6, toSequence: 5 }
    ],
    [[3, 5], [], []]
  )
  selects(
    "leaves out ids up to afterId, itself included",
    newest,
    [
      { ...all, events: ["Set", "Cleared"], primaryKey: "a", afterId: new Uint8Array(16) },
      { ...all, events: ["Set", "Cleared"], primaryKey: "a", afterId: idAt(26) },
      { ...all, events: ["Set", "Cleared"], primaryKey: "a", afterId: new Uint8Array(16).fill(255) }
    ],
    [[6, 1, 4, 5, 3, 8], [6, 1], []]
  )
  selects(
    "leaves out transport-only entries where only replayable ones are wanted",
    newest,
    [{ ...all, events: ["Set"], primaryKey: "a", replayableOnly: true }],
    [[6, 1, 3]]
  )
  selects(
    "limits each range by itself, after everything else",
    { order: "newest", maxEntries: 2, maxBytes: 1_000_000 },
    [
      { ...all, events: ["Set", "Cleared"], primaryKey: "a", replayableOnly: true },
      { events: ["Set"], primaryKey: "a", fromSequence: 1, toSequence: 5, replayableOnly: true },
      { ...all, events: ["Set"], primaryKey: "b" }
    ],
    [[6, 1], [1, 3], [2]]
  )
  selects(
    "limits the lowest sequences too",
    { order: "sequence", maxEntries: 3, maxBytes: 1_000_000 },
    [{ ...all, events: ["Set", "Cleared"], primaryKey: "a" }],
    [[1, 3, 4]]
  )
  selects(
    "limits the bytes of each range, but gives one entry whatever its size",
    { order: "sequence", maxEntries: 3, maxBytes: 1 },
    [
      { ...all, events: ["Set", "Cleared"], primaryKey: "a" },
      { ...all, events: ["Set"], primaryKey: "b" }
    ],
    [[1], [2]]
  )
  selects(
    "answers each range in its place, empty where nothing is",
    oldest,
    [
      { ...all, events: ["Unknown"], primaryKey: "a" },
      { ...all, events: ["Noted"], primaryKey: "a" },
      { ...all, events: [], primaryKey: "a" },
      { ...all, events: ["Noted"], primaryKey: "A" },
      { ...all, events: ["Noted"], primaryKey: "a" }
    ],
    [[], [7], [], [], [7]]
  )
  selects("answers nothing for no ranges", oldest, [], [])

  // They weigh 48, 14, 0 and 12 bytes.
  const together: ReadonlyArray<BucketRange> = [
    { ...all, events: ["Set"], primaryKey: "a" },
    { ...all, events: ["Noted"], primaryKey: "a" },
    { ...all, events: ["Unknown"], primaryKey: "a" },
    { ...all, events: ["Set"], primaryKey: "b" }
  ]
  const inTotal = (maxTotalBytes: number): BucketSelection => ({ ...newest, maxTotalBytes })
  selects("returns all ranges that fit together", inTotal(74), together, [[6, 1, 5, 3], [7], [], [2]])
  selects("leaves out a range that doesn't fit", inTotal(73), together, [[6, 1, 5, 3], [7], []])
  selects("leaves out what is behind a range that doesn't fit", inTotal(61), together, [[6, 1, 5, 3]])
  selects("returns the first range whatever its size, and none behind it", inTotal(1), together, [[6, 1, 5, 3]])
  selects(
    "bounds many ranges together, the lowest sequences too",
    { ...oldest, maxTotalBytes: 100 * 14 },
    Array.from({ length: 130 }, () => ({ ...all, events: ["Noted"], primaryKey: "a" })),
    Array.from({ length: 100 }, () => [7])
  )

  check("leaves out exactly the id of afterId", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = feed()
      yield* node.feeds.append(storeId, records)
      const afterId = records[0]?.entry.id
      const [found] = yield* node.feeds.bucket(storeId, [{ ...all, events: ["Set"], primaryKey: "a", afterId }], newest)
      expect(found && sequencesOf(found)).toEqual([6])
    })
  )

  check("hands out whole entries, whose bytes belong to the caller", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const records = feed()
      yield* node.feeds.append(storeId, records)
      const find = Effect.map(
        node.feeds.bucket(storeId, [{ ...all, events: ["Noted"], primaryKey: "a" }], oldest),
        (found) => found.flat()
      )
      for (const { entry } of yield* find) entry.payload.fill(0)
      expect((yield* find).map(contents)).toEqual(records.slice(6, 7).map(contents))
    })
  )
}
