import { Effect, Stream } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type {
  FeedRecord,
  FeedStore,
  PageLimits,
  SurvivingEvents,
  Survivor,
  SurvivorsRequest
} from "../../backend/FeedStore.ts"
import type { StorageError } from "../../backend/StorageError.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { contents, freshStoreId, makeRecord, makeRecords, wholeFeed } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

/** An id whose place among others is its number's. */
const idOf = (number: number): EventJournal.EntryId =>
  Uint8Array.of(1, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, number >> 8, number & 0xff) as EventJournal.EntryId

type Found = { readonly toSequence: number; readonly pages: ReadonlyArray<ReadonlyArray<Survivor>> }

const find = (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  request: SurvivorsRequest
): Effect.Effect<Found, StorageError> =>
  Effect.flatMap(feeds.survivors(storeId, request), ({ pages, toSequence }) =>
    Effect.map(Stream.runCollect(pages), (pages) => ({ toSequence, pages: Array.from(pages) }))
  )

type Place = readonly [sequence: number, last: number]

const inOrder = ([a, lastA]: Place, [b, lastB]: Place): number => lastA - lastB || a - b

/** What should come out, found by looking at every entry. */
const expected = (
  records: ReadonlyArray<FeedRecord>,
  { groups, toId, toSequence }: SurvivorsRequest
): { readonly toSequence: number; readonly places: ReadonlyArray<Place> } => {
  const young = records.findIndex(({ entry }) => compareIds(entry.id, toId) > 0)
  const beginning = records.slice(0, Math.min(toSequence, young === -1 ? records.length : young))
  const events = groups.flatMap(({ events }) => events)
  if (beginning.some(({ entry }) => !events.includes(entry.event))) return { toSequence: 0, places: [] }
  const places = groups.flatMap((group) => lastsOf(beginning, group))
  return { toSequence: beginning.length, places: places.toSorted(inOrder) }
}

const lastsOf = (records: ReadonlyArray<FeedRecord>, { by, events }: SurvivingEvents): ReadonlyArray<Place> => {
  const survivors = new Map<string, { readonly primaryKey: string; readonly sequence: number; readonly id: string }>()
  const lasts = new Map<string, number>()
  for (const [index, { entry }] of records.entries()) {
    if (!events.includes(entry.event)) continue
    const { event, idString: id, primaryKey } = entry
    const before = survivors.get(JSON.stringify([event, primaryKey]))
    lasts.set(primaryKey, index + 1)
    if (by === "id" && before !== undefined && before.id > id) continue
    survivors.set(JSON.stringify([event, primaryKey]), { primaryKey, sequence: index + 1, id })
  }
  return [...survivors.values()].map(({ primaryKey, sequence }) => [sequence, lasts.get(primaryKey)!])
}

const compareIds = (a: Uint8Array, b: Uint8Array): number =>
  EventJournal.EntryIdOrder(a as EventJournal.EntryId, b as EventJournal.EntryId)

/** No id is greater. */
const anyId = new Uint8Array(16).fill(0xff)

const noBeginning = { toSequence: 0, pages: [] }

const placesOf = (survivors: ReadonlyArray<Survivor>) =>
  survivors.map(({ entry, last }) => [entry.remoteSequence, last] as const)

/** Ids that come mostly in order, some of them late; keys and events that repeat. */
const makeHistory = (count: number, keys: number): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, (_, index) =>
    makeRecord({
      id: idOf(index % 7 === 3 ? count + index : index),
      event: ["Set", "Cleared", "Other"][(index * 5) % 3]!,
      primaryKey: `key ${(index * 13) % keys}`,
      transportOnly: index % 11 === 0
    })
  )

/** The ways to put events into groups. */
const groupings: ReadonlyArray<ReadonlyArray<SurvivingEvents>> = (["id", "sequence"] as const).flatMap((by) => [
  [{ by, events: ["Set", "Cleared", "Other"] }],
  [
    { by, events: ["Set", "Cleared", "Nothing"] },
    { by: "id", events: ["Other"] }
  ],
  [
    { by, events: ["Cleared", "Cleared"] },
    { by: "sequence", events: ["Set"] },
    { by, events: ["Other"] }
  ]
])

const nameOf = (groups: ReadonlyArray<SurvivingEvents>): string =>
  groups.map(({ by, events }) => `${events.join("+")} by ${by}`).join(" and ")

const set = { by: "sequence", events: ["Set"] } as const

export const survivors: Topic = (check) => {
  const history = makeHistory(300, 17)
  for (const groups of groupings) {
    check(`returns the last entries of ${nameOf(groups)}, up to a sequence and an age`, ({ node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        yield* node.feeds.append(storeId, history)
        // Ids come late: the first one that is greater than the last of these two lies at 246 or so.
        for (const toId of [anyId, idOf(150), idOf(540)]) {
          for (const toSequence of [1, 40, 299, 300, 1_000_000]) {
            const request = { groups, toSequence, toId, limits: wholeFeed }
            const { pages, toSequence: end } = yield* find(peer.feeds, storeId, request)
            const found = pages.flat()
            expect({ toSequence: end, places: placesOf(found) }).toEqual(expected(history, request))
            expect(found.map(({ entry }) => contents(entry))).toEqual(
              found.map(({ entry }) => contents(history[entry.remoteSequence - 1]!))
            )
          }
        }
      })
    )
  }

  check("has no beginning where an entry of another event lies in it, and one before a younger entry", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const make = (number: number, event: string) => makeRecord({ id: idOf(number), event, primaryKey: "key" })
      const events = ["Set", "Set", "Set", "Other", "Set"]
      yield* node.feeds.append(
        storeId,
        events.map((event, index) => make(index, event))
      )
      const request = { groups: [set], toSequence: 5, limits: wholeFeed }
      expect(yield* find(node.feeds, storeId, { ...request, toId: anyId })).toEqual(noBeginning)
      expect(yield* find(node.feeds, storeId, { ...request, toId: idOf(3) })).toEqual(noBeginning)
      // What is younger hides what lies behind it.
      for (const [toId, toSequence, end] of [
        [idOf(2), 5, 3],
        [anyId, 3, 3],
        [idOf(0), 5, 1]
      ] as const) {
        const { pages, toSequence: found } = yield* find(node.feeds, storeId, { ...request, toId, toSequence })
        expect([found, placesOf(pages.flat())]).toEqual([end, [[end, end]]])
      }
      expect(yield* find(node.feeds, storeId, { ...request, toId: new Uint8Array(16) })).toEqual(noBeginning)
    })
  )

  check("comes in pages that keep their limits, and repeats nothing", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const payload = new Uint8Array(1_000)
      const records = Array.from({ length: 40 }, (_, index) =>
        makeRecord({ event: "Set", primaryKey: `${index % 20}`, payload })
      )
      yield* node.feeds.append(storeId, records)
      const request = { groups: [set], toSequence: 40, toId: anyId }
      const within = (limits: Partial<PageLimits>) =>
        Effect.map(find(node.feeds, storeId, { ...request, limits: { ...wholeFeed, ...limits } }), ({ pages }) => pages)
      const inEntries = yield* within({ maxEntries: 3 })
      expect(inEntries.every((page) => page.length >= 1 && page.length <= 3)).toBe(true)
      const inBytes = yield* within({ maxBytes: 2_500 })
      expect(inBytes.every((page) => page.length >= 1 && page.length <= 2)).toBe(true)
      const tiny = yield* within({ maxEntries: 10, maxBytes: 1 })
      expect(tiny.every((page) => page.length === 1)).toBe(true)
      for (const pages of [inEntries, inBytes, tiny]) {
        expect(placesOf(pages.flat())).toEqual(Array.from({ length: 20 }, (_, index) => [21 + index, 21 + index]))
      }
    })
  )

  check("finds many keys", ({ node, scale }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const count = 2_000 * scale
      const records = Array.from({ length: count }, (_, index) =>
        makeRecord({ event: "Set", primaryKey: `${index % (count / 2)}` })
      )
      for (let from = 0; from < count; from += 500) yield* node.feeds.append(storeId, records.slice(from, from + 500))
      const groups = [{ by: "id", events: ["Set"] }] as const
      const request = { groups, toSequence: count, toId: anyId, limits: { ...wholeFeed, maxEntries: 500 } }
      const { pages } = yield* find(node.feeds, storeId, request)
      expect(placesOf(pages.flat())).toEqual(expected(records, request).places)
    })
  )

  check("has no beginning in a store without entries, or in one that was erased", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const groups = [{ by: "id", events: ["Noted"] }] as const
      const request = { groups, toSequence: 10, toId: anyId, limits: wholeFeed }
      expect(yield* find(node.feeds, storeId, request)).toEqual(noBeginning)
      yield* node.feeds.append(storeId, makeRecords(2))
      expect(yield* find(node.feeds, storeId, { ...request, groups: [] })).toEqual(noBeginning)
      yield* node.admin.erase(storeId)
      expect(yield* find(peer.feeds, storeId, request)).toEqual(noBeginning)
    })
  )

  check("keeps buckets of different stores and similar names apart", ({ node }) =>
    Effect.gen(function* () {
      const [one, other] = [freshStoreId(), freshStoreId()]
      const names = [
        ["Set", "a"],
        ["Se", "ta"],
        ["Set", "a "],
        ["Set", ""],
        ["set", "a"]
      ] as const
      const records = names.map(([event, primaryKey]) => makeRecord({ event, primaryKey }))
      yield* node.feeds.append(one, records)
      yield* node.feeds.append(other, records.slice(0, 1))
      const groups = ["Set", "Se", "set"].map((event) => ({ by: "id" as const, events: [event] }))
      const request = { toSequence: 10, toId: anyId, limits: wholeFeed }
      const found = yield* find(node.feeds, one, { ...request, groups })
      expect(placesOf(found.pages.flat())).toEqual([1, 2, 3, 4, 5].map((sequence) => [sequence, sequence]))
      expect(yield* find(node.feeds, one, { ...request, groups: groups.slice(0, 2) })).toEqual(noBeginning)
      const others = yield* find(node.feeds, other, { ...request, groups: [set] })
      expect(placesOf(others.pages.flat())).toEqual([[1, 1]])
    })
  )
}
