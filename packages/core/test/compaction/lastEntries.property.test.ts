import { makeRecord } from "@eventlog-server/testkit/schema"
import { Context, Duration, Effect } from "effect"
import fc from "fast-check"
import { expect, it } from "vitest"
import type { FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { type Compactor, Compactors, type LastBy } from "../../src/compaction/compactors.ts"
import { keepLast } from "../../src/compaction/keepLast.ts"
import { Projection } from "../../src/compaction/projection.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState } from "../../src/memory/MemoryState.ts"
import { tags } from "./world.ts"

const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 300 : 20_000
const storeId = StoreId.make("store")
const cutoff = 1_000_000

const event = fc.record({
  tag: fc.constantFrom(...tags),
  key: fc.nat(2),
  // Some are younger than the cut-off; arrival and age are in any order.
  millis: fc.integer({ min: cutoff - 900, max: cutoff + 100 })
})

const makeFeeds = async (events: ReadonlyArray<{ tag: string; key: number; millis: number }>) => {
  const feeds = makeFeedStore(makeFeedState())
  const records = events.map(({ key, millis, tag }, index) =>
    makeRecord({ msecs: millis, event: tag, primaryKey: `key ${key}`, payload: Uint8Array.of(index) })
  )
  await Effect.runPromise(feeds.append(storeId, records))
  return feeds
}

/** What a device is sent, and how many entries the store handed over for it. */
const project = async (store: FeedStore["Service"], head: number, compactor: Compactor, maxBucketBytes = 1_000_000) => {
  const compactors = new Compactors()
  compactors.add(compactor)
  const sent: Array<string> = []
  let read = 0
  let looks = 0
  const counted: FeedStore["Service"] = {
    ...store,
    bucket: (...args) =>
      Effect.tap(store.bucket(...args), (found) =>
        Effect.sync(() => {
          looks++
          read += found.flat().length
        })
      )
  }
  await Effect.runPromise(
    new Projection({
      store: counted,
      compactors,
      limits: {
        page: { maxEntries: 3, maxBytes: 1_000 },
        bucket: { maxEntries: 50, maxBytes: maxBucketBytes },
        whole: { maxEntries: 50, maxBytes: 1_000_000 },
        timeout: Duration.seconds(30),
        minBeginning: Number.POSITIVE_INFINITY
      },
      context: Context.empty(),
      request: { storeId, from: 1, head, first: [], keepsSequencesWhole: false },
      groups: [{ events: [...tags], cutoff }],
      emit: (page) =>
        Effect.sync(() => {
          for (const { entry, remoteSequence } of page.entries) sent.push(`${remoteSequence} ${entry.idString}`)
        })
    }).run()
  )
  return { sent, read, looks }
}

const compactorBy = (by: LastBy): Compactor => {
  const effect = keepLast({ by })
  return { events: [...tags], olderThan: 0, effect, needsOnlyLastBy: effect.needsOnlyLastBy }
}

it.each(["id", "sequence"] as const)("sends the same by the last entries alone, by %s", async (by) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const feeds = await makeFeeds(events)
      const compactor = compactorBy(by)
      const byLast = await project(feeds, events.length, compactor)
      const byAll = await project(feeds, events.length, { ...compactor, needsOnlyLastBy: undefined })
      expect(byLast.sent).toEqual(byAll.sent)
      expect(byLast.read).toBeLessThanOrEqual(byAll.read)
      // An entry weighs a third of it or more, so that few are looked up at a time.
      const inParts = await project(feeds, events.length, compactor, 60)
      expect(inParts.sent).toEqual(byAll.sent)
    }),
    { numRuns: runs }
  )
})

it("reads the buckets of a page together, also where all of their entries are needed", async () => {
  const pages = 20
  const events = Array.from({ length: 6 * pages }, (_, index) => ({
    tag: "Added",
    // Each key once in the first half, and once more in the second.
    key: index % (3 * pages),
    millis: cutoff - 900 + index
  }))
  const feeds = await makeFeeds(events)
  const compactor = { ...compactorBy("id"), needsOnlyLastBy: undefined }
  const { looks, read } = await project(feeds, events.length, compactor)
  expect(read).toBe(events.length)
  // Buckets end on the pages of the second half, three on each.
  expect(looks).toBe(pages)
  // Where two entries of a bucket are all that may be held, each is read for itself.
  expect((await project(feeds, events.length, compactor, 6)).looks).toBe(3 * pages)
})

it("falls back on all entries where the compactor fails on the last ones", async () => {
  const feeds = await makeFeeds([1, 2, 3].map((index) => ({ tag: "Added", key: 0, millis: cutoff - 900 + index })))
  const failing: Compactor = {
    ...compactorBy("id"),
    effect: (input) => (input.entries.length === 1 ? Effect.die(new Error("too few")) : keepLast()(input))
  }
  const { sent } = await project(feeds, 3, failing)
  expect(sent.map((it) => it.split(" ")[0])).toEqual(["3"])
})
