import { heldNow } from "@eventlog-server/testkit/heap"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Context, Duration, Effect } from "effect"
import { expect, it } from "vitest"
import { StoreId } from "../../src/backend/StoreId.ts"
import { Compactors } from "../../src/compaction/compactors.ts"
import { keepLast } from "../../src/compaction/keepLast.ts"
import { Projection } from "../../src/compaction/projection.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState } from "../../src/memory/MemoryState.ts"
import { defaultLimits } from "../../src/wire/limits.ts"

const MiB = 1024 * 1024

/** MiB that can't be let go of. */
const heldMiB = (): number => heldNow() / MiB

const storeId = StoreId.make("store")
const keys = 64
const { maxBucketBytes, maxBucketEntries, maxPageBytes, maxPageEntries } = defaultLimits

const recordOf = (key: number, msecs: number, payload: number) =>
  makeRecord({ msecs, event: "Set", primaryKey: `key ${key}`, payload })

/** An entry of 1 MiB of each key, the last one by id, and then the small one that ends its bucket. */
const makeFeeds = async () => {
  const feeds = makeFeedStore(makeFeedState())
  const all = Array.from({ length: keys }, (_, key) => key)
  for (const key of all) await Effect.runPromise(feeds.append(storeId, [recordOf(key, 2_000, MiB)]))
  await Effect.runPromise(
    feeds.append(
      storeId,
      all.map((key) => recordOf(key, 1_000, 1))
    )
  )
  return feeds
}

it("holds few of the last entries of a page's buckets at a time", async () => {
  const feeds = await makeFeeds()
  const before = heldMiB()
  let most = 0
  const keep = keepLast({ by: "id" })
  const compactors = new Compactors()
  compactors.add({
    events: ["Set"],
    olderThan: 0,
    needsOnlyLastBy: "id",
    effect: (input) =>
      Effect.suspend(() => {
        most = Math.max(most, heldMiB() - before)
        return keep(input)
      })
  })
  let sent = 0
  const page = { maxEntries: maxPageEntries, maxBytes: maxPageBytes }
  const projection = new Projection({
    store: feeds,
    compactors,
    limits: {
      page,
      bucket: { maxEntries: maxBucketEntries, maxBytes: maxBucketBytes },
      whole: page,
      timeout: Duration.seconds(30),
      minBeginning: Number.POSITIVE_INFINITY
    },
    context: Context.empty(),
    request: { storeId, from: keys + 1, head: 2 * keys, first: [], keepsSequencesWhole: false },
    groups: [{ events: ["Set"], cutoff: 3_000 }],
    emit: ({ entries }) =>
      Effect.sync(() => {
        sent += entries.length
      })
  })
  await Effect.runPromise(projection.run())
  expect(sent).toBe(keys)
  expect(most, `${Math.ceil(most)} MiB`).toBeLessThan(2 * (maxBucketBytes / MiB))
})
