import { Stream } from "effect"
import { copyEntries } from "../backend/copyEntries.ts"
import type { PageLimits, SurvivingEvents, Survivor, Survivors, SurvivorsRequest } from "../backend/FeedStore.ts"
import { entryBytes } from "../wire/fields.ts"
import type { BucketIndex } from "./BucketIndex.ts"
import type { MemoryFeed } from "./MemoryFeed.ts"

/** The last sequence of each primary key, of all events together. */
const lastsOf = (found: ReadonlyArray<Survivor>): ReadonlyMap<string, number> => {
  const lasts = new Map<string, number>()
  for (const { entry, last } of found) {
    const { primaryKey } = entry.entry
    lasts.set(primaryKey, Math.max(last, lasts.get(primaryKey) ?? 0))
  }
  return lasts
}

const inOrder = (a: Survivor, b: Survivor): number => a.last - b.last || a.entry.remoteSequence - b.entry.remoteSequence

/** Entries that the caller owns. */
const handOut = (page: ReadonlyArray<Survivor>): ReadonlyArray<Survivor> =>
  copyEntries(page.map(({ entry }) => entry)).map((entry, index) => ({ entry, last: page[index]!.last }))

/** The survivors of a group up to a sequence. */
const survivorsOf = (
  buckets: BucketIndex,
  { by, events }: SurvivingEvents,
  toSequence: number
): ReadonlyArray<Survivor> => {
  const found = [...new Set(events)].flatMap((event) => buckets.lasts(event, by, toSequence))
  const lasts = lastsOf(found)
  return found.map(({ entry }) => ({ entry, last: lasts.get(entry.entry.primaryKey)! }))
}

/** Where the beginning ends that is looked for; 0 where there is none. */
const endOf = (feed: MemoryFeed, { groups, toId, toSequence }: SurvivorsRequest): number => {
  const end = Math.min(toSequence, feed.firstAfter(toId) - 1)
  return feed.buckets.hasOthers(new Set(groups.flatMap(({ events }) => events)), end) ? 0 : end
}

/** `FeedStore.survivors`. */
export const findSurvivors = (feed: MemoryFeed, request: SurvivorsRequest): Survivors => {
  const toSequence = Math.max(0, endOf(feed, request))
  return {
    toSequence,
    pages: Stream.suspend(() => {
      const found = request.groups.flatMap((group) => survivorsOf(feed.buckets, group, toSequence))
      return Stream.fromIterable(pagesOf(found.sort(inOrder), request.limits))
    })
  }
}

function* pagesOf(sorted: ReadonlyArray<Survivor>, limits: PageLimits): Generator<ReadonlyArray<Survivor>> {
  let page: Array<Survivor> = []
  let bytes = 0
  for (const survivor of sorted) {
    const size = entryBytes(survivor.entry.entry)
    if (page.length >= limits.maxEntries || (page.length > 0 && bytes + size > limits.maxBytes)) {
      yield handOut(page)
      page = []
      bytes = 0
    }
    page.push(survivor)
    bytes += size
  }
  if (page.length > 0) yield handOut(page)
}
