import { Effect } from "effect"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import type { Failure, FailuresQuery, KeptFailure } from "../../backend/StoreProgress.ts"
import { freshStoreId, makeRecord, makeRecords } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

const makeFailure = (sequence: number, fields: Partial<Failure> = {}): Failure => ({
  sequence,
  entryId: makeRecord().entry.id,
  event: "Noted",
  primaryKey: "key",
  author: "author",
  reason: "HandlerFailed",
  message: "no room",
  ...fields
})

/** What was given, and how often. */
const givenOf = ({
  attempts,
  entryId,
  firstAt: _first,
  isDue: _due,
  lastAt: _last,
  storeId: _store,
  ...failure
}: KeptFailure) => ({
  ...failure,
  entryId: Array.from(entryId),
  attempts
})

const ofStore = ({ progress }: Node, storeId: StoreId) => progress.failures.list({ storeId, limit: 1_000 })

/** The sequences of those that are due. */
const dueOf = ({ progress }: Node, query: Partial<FailuresQuery>) =>
  Effect.map(progress.failures.list({ limit: 1_000, ...query, isDue: true }), (due) =>
    due.map(({ sequence }) => sequence)
  )

/** Every failure, or those of a store, page by page. */
const pageThrough = Effect.fnUntraced(function* (
  { progress }: Node,
  limit: number,
  which: Pick<FailuresQuery, "isDue" | "storeId"> = {}
) {
  const found: Array<KeptFailure> = []
  while (true) {
    const page = yield* progress.failures.list({ ...which, after: found.at(-1), limit })
    expect(page.length).toBeLessThanOrEqual(limit)
    found.push(...page)
    if (page.length < limit) return found
  }
})

/** The sequences of each store's failures, in the order in which they came. */
const sequencesIn = (stores: ReadonlyArray<StoreId>, found: ReadonlyArray<KeptFailure>) =>
  stores.map((storeId) => found.filter((failure) => failure.storeId === storeId).map(({ sequence }) => sequence))

export const failures: Topic = (check) => {
  check("keeps what it is given, in the order of sequences, and counts it", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(10))
      const given = [
        makeFailure(7, { reason: "TimedOut", author: null, message: "" }),
        makeFailure(2, { event: "Grüße, 世界", primaryKey: "clé 🔑 ", message: 'a\'b\n"c" '.repeat(200) }),
        makeFailure(10, { reason: "Undecodable", primaryKey: "" })
      ]
      expect(yield* node.progress.failures.record(storeId, given.slice(0, 1))).toBe(1)
      expect(yield* peer.progress.failures.record(storeId, given.slice(1))).toBe(3)
      expect((yield* ofStore(peer, storeId)).map(givenOf)).toEqual(
        given
          .toSorted((a, b) => a.sequence - b.sequence)
          .map((failure) => ({ ...failure, entryId: Array.from(failure.entryId), attempts: 1 }))
      )
      expect((yield* ofStore(node, storeId)).every((failure) => failure.storeId === storeId)).toBe(true)
    })
  )

  check("counts attempts, and keeps the first time and the last failure", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      const failure = makeFailure(3)
      yield* node.progress.failures.record(storeId, [failure])
      const [first] = yield* ofStore(node, storeId)
      yield* Effect.sleep(5)
      expect(
        yield* peer.progress.failures.record(storeId, [{ ...failure, reason: "TimedOut", message: "too slow" }])
      ).toBe(1)
      const [second] = yield* ofStore(node, storeId)
      expect(second).toMatchObject({ attempts: 2, reason: "TimedOut", message: "too slow", firstAt: first?.firstAt })
      expect(second!.lastAt).toBeGreaterThan(first!.lastAt)
      // The clock is the backend's: it may differ from this one, but not by much.
      expect(Math.abs(second!.lastAt - Date.now())).toBeLessThan(60_000)
    })
  )

  check("has those that are to be tried again due, until they were tried or settled", ({ node, peer }) =>
    Effect.gen(function* () {
      const [storeId, other] = [freshStoreId(), freshStoreId()]
      for (const each of [storeId, other]) {
        yield* node.feeds.append(each, makeRecords(4))
        yield* node.progress.failures.record(
          each,
          [1, 2, 3, 4].map((sequence) => makeFailure(sequence))
        )
      }
      expect((yield* ofStore(node, storeId)).map(({ isDue }) => isDue)).toEqual([false, false, false, false])
      yield* peer.progress.failures.retry(storeId, [4, 1, 3, 9])
      yield* peer.progress.failures.retry(other, [])
      yield* peer.progress.failures.retry(freshStoreId(), [1])
      expect((yield* ofStore(node, storeId)).map(({ isDue }) => isDue)).toEqual([true, false, true, true])
      expect(yield* dueOf(node, { storeId })).toEqual([1, 3, 4])
      expect(yield* dueOf(node, { storeId, after: { storeId, sequence: 1 }, limit: 1 })).toEqual([3])
      expect(yield* dueOf(node, { storeId: other })).toEqual([])
      yield* node.progress.failures.record(storeId, [makeFailure(3)])
      yield* node.progress.failures.settle(storeId, [4])
      expect(yield* dueOf(peer, { storeId })).toEqual([1])
      const [kept] = (yield* ofStore(peer, storeId)).filter(({ sequence }) => sequence === 3)
      expect(kept).toMatchObject({ attempts: 2, isDue: false })
    })
  )

  check("lists those that are due of all stores, page by page", ({ node, peer }) =>
    Effect.gen(function* () {
      const stores = [freshStoreId(), freshStoreId(), freshStoreId()]
      for (const storeId of stores) {
        yield* node.feeds.append(storeId, makeRecords(9))
        yield* node.progress.failures.record(
          storeId,
          [1, 2, 5, 9].map((sequence) => makeFailure(sequence))
        )
      }
      yield* node.progress.failures.retry(stores[0]!, [9])
      yield* node.progress.failures.retry(stores[2]!, [2, 5])
      for (const limit of [1, 2, 1_000]) {
        const found = yield* pageThrough(peer, limit, { isDue: true })
        expect(sequencesIn(stores, found)).toEqual([[9], [], [2, 5]])
      }
      yield* peer.progress.failures.settle(stores[0]!, [9])
      yield* node.progress.failures.retry(stores[1]!, [1])
      expect(sequencesIn(stores, yield* pageThrough(peer, 10, { isDue: true }))).toEqual([[], [1], [2, 5]])
    })
  )

  check("counts what a store has, without adding to it", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(3))
      expect(yield* node.progress.failures.record(storeId, [])).toBe(0)
      yield* node.progress.failures.record(storeId, [makeFailure(1), makeFailure(3)])
      expect(yield* node.progress.failures.record(storeId, [])).toBe(2)
    })
  )

  check("forgets what was settled, and passes over what isn't kept", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(4))
      yield* node.progress.failures.record(
        storeId,
        [1, 2, 3, 4].map((sequence) => makeFailure(sequence))
      )
      yield* peer.progress.failures.settle(storeId, [2, 4, 9])
      yield* peer.progress.failures.settle(storeId, [])
      expect((yield* ofStore(node, storeId)).map(({ sequence }) => sequence)).toEqual([1, 3])
      expect(yield* node.progress.failures.record(storeId, [makeFailure(2)])).toBe(3)
      const again = (yield* ofStore(node, storeId)).find(({ sequence }) => sequence === 2)
      expect(again?.attempts).toBe(1)
    })
  )

  check("pages through all stores and through one, each failure once", ({ node, peer }) =>
    Effect.gen(function* () {
      const stores = [freshStoreId(), freshStoreId(), freshStoreId()]
      for (const storeId of stores) {
        yield* node.feeds.append(storeId, makeRecords(12))
        yield* node.progress.failures.record(
          storeId,
          [12, 1, 10, 2].map((sequence) => makeFailure(sequence))
        )
      }
      const all = stores.map(() => [1, 2, 10, 12])
      for (const limit of [1, 3, 1_000]) {
        expect(sequencesIn(stores, yield* pageThrough(peer, limit))).toEqual(all)
        const own = yield* pageThrough(node, limit, { storeId: stores[1] })
        expect(sequencesIn(stores, own)).toEqual([[], [1, 2, 10, 12], []])
        expect(own).toHaveLength(4)
      }
    })
  )

  check("loses none that are recorded at once", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(20))
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index + 1),
        (sequence) =>
          (sequence % 2 === 0 ? node : peer).progress.failures.record(storeId, [
            makeFailure(sequence),
            makeFailure((sequence % 20) + 1)
          ]),
        { concurrency: "unbounded" }
      )
      const kept = yield* ofStore(node, storeId)
      expect(kept.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 20 }, () => 2))
    })
  )

  check("keeps none of an erased store", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(1))
      yield* node.progress.failures.record(storeId, [makeFailure(1)])
      yield* node.admin.erase(storeId)
      expect(yield* ofStore(peer, storeId)).toEqual([])
      expect(yield* peer.progress.failures.record(storeId, [makeFailure(1)])).toBe(0)
      expect(yield* ofStore(node, storeId)).toEqual([])
    })
  )

  check("hands out bytes of the caller's own", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(1))
      const failure = makeFailure(1)
      const id = Array.from(failure.entryId)
      yield* node.progress.failures.record(storeId, [failure])
      failure.entryId.fill(0)
      const [kept] = yield* ofStore(node, storeId)
      expect(Array.from(kept!.entryId)).toEqual(id)
      kept!.entryId.fill(0)
      expect(Array.from((yield* ofStore(node, storeId))[0]!.entryId)).toEqual(id)
    })
  )
}
