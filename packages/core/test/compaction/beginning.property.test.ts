import { makeRecord } from "@eventlog-server/testkit/schema"
import { Context, Duration, Effect } from "effect"
import fc from "fast-check"
import { expect, it } from "vitest"
import type { FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import type { CompactionGroup } from "../../src/backend/StoreProgress.ts"
import { Compactors } from "../../src/compaction/compactors.ts"
import { keepLast } from "../../src/compaction/keepLast.ts"
import { Projection } from "../../src/compaction/projection.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState } from "../../src/memory/MemoryState.ts"
import { tags } from "./world.ts"

const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 500 : 20_000
const storeId = StoreId.make("store")
const base = 1_000_000

interface Event {
  readonly tag: string
  readonly key: number
  readonly age: number
}

/** Ages up to a hundred; the older half of most histories comes first, as it does in life. */
const event = (ages: { min: number; max: number }): fc.Arbitrary<Event> =>
  fc.record({ tag: fc.constantFrom(...tags), key: fc.nat(3), age: fc.integer(ages) })

const history = fc
  .tuple(
    fc.array(event({ min: 60, max: 100 }), { maxLength: 30 }),
    fc.array(event({ min: 0, max: 100 }), { maxLength: 15 })
  )
  .map(([old, mixed]) => [...old, ...mixed])

/** A group, what is the last of its events, and which age is old; one without `by` has a compactor that needs all entries. */
interface Grouping {
  readonly events: ReadonlyArray<string>
  readonly by: "id" | "sequence" | undefined
  readonly age: number
}

const grouping = (events: ReadonlyArray<string>, by: ReadonlyArray<Grouping["by"]>): fc.Arbitrary<Grouping> =>
  fc.record({
    events: fc.constant(events),
    by: fc.constantFrom(...by),
    age: fc.integer({ min: 0, max: 90 })
  })

const groupings: fc.Arbitrary<ReadonlyArray<Grouping>> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(grouping(tags, ["id", "sequence"])) },
  {
    weight: 4,
    arbitrary: fc.tuple(grouping(["Added", "Renamed"], ["id", "sequence"]), grouping(["Toggled"], ["id", "sequence"]))
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      grouping(["Added", "Toggled"], ["id", "sequence", undefined]),
      grouping(["Renamed"], ["id", undefined])
    )
  },
  { weight: 1, arbitrary: fc.tuple(grouping(["Added", "Toggled"], ["id", "sequence"])) }
)

const makeFeeds = async (events: ReadonlyArray<Event>) => {
  const feeds = makeFeedStore(makeFeedState())
  const records = events.map(({ age, key, tag }, index) =>
    makeRecord({ msecs: base - age, event: tag, primaryKey: `key ${key}`, payload: Uint8Array.of(index) })
  )
  await Effect.runPromise(feeds.append(storeId, records))
  return feeds
}

const compactorsOf = (groups: ReadonlyArray<Grouping>): Compactors => {
  const compactors = new Compactors()
  for (const { by, events } of groups) {
    const effect = keepLast({ by: by ?? "id" })
    compactors.add({ events, olderThan: 0, effect, needsOnlyLastBy: by })
  }
  return compactors
}

/** What a device is sent, and how many entries were read for it one after the other. */
const project = async (
  feeds: FeedStore["Service"],
  groups: ReadonlyArray<Grouping>,
  { from, head, minBeginning }: { readonly from: number; readonly head: number; readonly minBeginning: number }
) => {
  const sent: Array<string> = []
  let read = 0
  const counted: FeedStore["Service"] = {
    ...feeds,
    read: (...args) =>
      Effect.tap(feeds.read(...args), ({ entries }) =>
        Effect.sync(() => {
          read += entries.length
        })
      )
  }
  const page = { maxEntries: 3, maxBytes: 1_000 }
  const first = await Effect.runPromise(feeds.read(storeId, from, page))
  await Effect.runPromise(
    new Projection({
      store: counted,
      compactors: compactorsOf(groups),
      limits: {
        page,
        bucket: { maxEntries: 50, maxBytes: 1_000_000 },
        whole: { maxEntries: 50, maxBytes: 1_000_000 },
        timeout: Duration.seconds(30),
        minBeginning
      },
      context: Context.empty(),
      request: { storeId, from, head, first: first.entries, keepsSequencesWhole: false },
      groups: groups.map(({ age, events }): CompactionGroup => ({ events, cutoff: base - age })),
      emit: (page) =>
        Effect.sync(() => {
          for (const { entry, remoteSequence } of page.entries) sent.push(`${remoteSequence} ${entry.idString}`)
        })
    }).run()
  )
  return { sent, read }
}

it("sends the same where the last entries of a beginning are found as where it is walked", () =>
  fc.assert(
    fc.asyncProperty(
      history,
      groupings,
      fc.record({ from: fc.integer({ min: 1, max: 45 }), younger: fc.nat(10) }),
      async (events, groups, { from, younger }) => {
        const feeds = await makeFeeds(events)
        const head = Math.max(0, events.length - younger)
        const walked = await project(feeds, groups, { from, head, minBeginning: Number.POSITIVE_INFINITY })
        const found = await project(feeds, groups, { from, head, minBeginning: 0 })
        expect(found.sent).toEqual(walked.sent)
        expect(found.read).toBeLessThanOrEqual(walked.read)
      }
    ),
    { numRuns: runs }
  ))

it("reads nothing but last entries of a history that is old", async () => {
  const events = Array.from({ length: 300 }, (_, index) => ({ tag: tags[index % 3]!, key: index % 7, age: 50 }))
  const feeds = await makeFeeds(events)
  const groups = [{ events: tags, by: "id", age: 40 }] as const
  const { read, sent } = await project(feeds, groups, { from: 1, head: 300, minBeginning: 0 })
  expect(read).toBe(0)
  // One for each event and key.
  expect(sent).toHaveLength(3 * 7)
})
