import { Context, Effect, Layer } from "effect"
import fc from "fast-check"
import { expect, it } from "vitest"
import { type FeedRecord, FeedStore, type PageLimits } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { contents, makeRecord, sequencesOf, wholeFeed } from "../../src/conformance/fixtures.ts"
import { Continuity, layerContinuity } from "../../src/continuity/continuity.ts"
import { FreshEntries } from "../../src/continuity/FreshEntries.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"

const stores = ["a", "b"].map((name) => StoreId.make(name))
const numRuns = process.env.EVENTLOG_TEST_LONG ? 5_000 : 300

/** An append by one of two nodes: new records, and how many of those before come again. */
const step = fc.record({
  node: fc.nat(1),
  store: fc.nat(1),
  count: fc.integer({ min: 0, max: 4 }),
  repeats: fc.integer({ min: 0, max: 3 })
})

const page = fc.record({
  from: fc.integer({ min: 1, max: 60 }),
  limits: fc.record({ maxEntries: fc.integer({ min: 1, max: 5 }), maxBytes: fc.integer({ min: 1, max: 60 }) })
})

const startNode = Effect.fnUntraced(function* (state: ReturnType<typeof makeMemoryState>) {
  const node = yield* Layer.buildWithMemoMap(
    Layer.provide(
      layerContinuity(() => {}),
      layerOf(state)
    ),
    Layer.makeMemoMapUnsafe(),
    yield* Effect.scope
  )
  return { feeds: Context.get(node, FeedStore), view: Context.get(node, Continuity).view() }
})

type Node = Effect.Success<ReturnType<typeof startNode>>

/** Whether a node has a page at hand; if so, it is the beginning of the one that is stored. */
const hasFresh = Effect.fnUntraced(function* (
  { feeds, view }: Node,
  storeId: StoreId,
  from: number,
  limits: PageLimits
) {
  const fresh = view.fresh(storeId, from, limits)
  if (fresh === undefined) return false
  const stored = yield* feeds.read(storeId, from, limits)
  const beginning = stored.entries.slice(0, fresh.entries.length)
  expect(sequencesOf(fresh.entries)).toEqual(sequencesOf(beginning))
  expect(fresh.entries.map(contents)).toEqual(beginning.map(contents))
  // Where more is stored than it holds, that lies behind its head.
  if (fresh.entries.length < stored.entries.length) expect(fresh.entries.at(-1)!.remoteSequence).toBe(fresh.head)
  expect(fresh.head).toBeLessThanOrEqual(stored.head)
  return true
})

it("what a node has committed itself is the feed, as far as it goes, whoever else appends between", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 20 }),
      fc.array(page, { minLength: 5, maxLength: 5 }),
      (steps, pages) =>
        Effect.gen(function* () {
          const state = makeMemoryState()
          const nodes = [yield* startNode(state), yield* startNode(state)]
          const written: ReadonlyArray<Array<FeedRecord>> = [[], []]
          const looks = nodes.flatMap((node) => stores.flatMap((id) => pages.map((page) => ({ node, id, ...page }))))
          for (const { count, node, repeats, store } of steps) {
            const before = written[store]!
            const repeated = before.slice(0, repeats)
            const records = Array.from({ length: count }, () => makeRecord())
            before.push(...records)
            const slots = yield* nodes[node]!.feeds.append(stores[store]!, [...repeated, ...records])
            const first = slots.find(({ isNew }) => isNew)
            if (first !== undefined) {
              expect(yield* hasFresh(nodes[node]!, stores[store]!, first.sequence, wholeFeed)).toBe(true)
            }
            for (const { from, id, limits, node } of looks) yield* hasFresh(node, id, from, limits)
          }
        }).pipe(Effect.scoped, Effect.runPromise)
    ),
    { numRuns }
  ))

it("what is kept of a store, and of all stores, is bounded", () => {
  const fresh = new FreshEntries()
  const limits = { maxEntries: 10_000, maxBytes: 1_000_000_000 }
  const payload = new Uint8Array(100_000)
  for (let sequence = 1; sequence <= 30; sequence++) {
    fresh.add(stores[0]!, [makeRecord({ payload })], [{ sequence, isNew: true }])
  }
  expect(fresh.page(stores[0]!, 20, limits)).toBeUndefined()
  expect(fresh.page(stores[0]!, 21, limits)?.entries).toHaveLength(10)
  // Even one that is more than that is there for those who follow.
  fresh.add(stores[0]!, [makeRecord({ payload: new Uint8Array(4_000_000) })], [{ sequence: 31, isNew: true }])
  expect(fresh.page(stores[0]!, 31, limits)?.entries).toHaveLength(1)
  expect(fresh.page(stores[0]!, 30, limits)).toBeUndefined()

  for (let number = 0; number < 30; number++) {
    fresh.add(
      StoreId.make(`other ${number}`),
      Array.from({ length: 9 }, () => makeRecord({ payload })),
      [...Array.from({ length: 9 }, (_, index) => ({ sequence: index + 1, isNew: true }))]
    )
  }
  expect(fresh.page(stores[0]!, 31, limits)).toBeUndefined()
  const kept = Array.from({ length: 30 }, (_, number) => fresh.page(StoreId.make(`other ${number}`), 1, limits))
  expect(kept.filter((page) => page !== undefined).length).toBeLessThanOrEqual(18)
  expect(kept.at(-1)?.entries).toHaveLength(9)
})
