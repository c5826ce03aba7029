import { Clock, Duration, Effect } from "effect"
import { expect } from "vitest"
import type { CompactionGroup } from "../../backend/StoreProgress.ts"
import { freshStoreId } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const minute = 60_000

const hours = (count: number) => Duration.hours(count)

/** Groups in an order of their own, so that answers compare. */
const sorted = (groups: ReadonlyArray<CompactionGroup>) =>
  groups
    .map(({ cutoff, events }) => ({ events: [...events].sort(), cutoff }))
    .sort((a, b) => (a.events.join() < b.events.join() ? -1 : 1))

const eventsOf = (groups: ReadonlyArray<CompactionGroup>) => sorted(groups).map(({ events }) => events)

const cutoffsOf = (groups: ReadonlyArray<CompactionGroup>) => sorted(groups).map(({ cutoff }) => cutoff)

export const cutoffs: Topic = (check) => {
  check("cuts off at the backend's now minus olderThan, rounded down to a minute", ({ node }) =>
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      const groups = yield* node.progress.raiseCutoffs(freshStoreId(), [{ events: ["Set"], olderThan: hours(5) }])
      const after = yield* Clock.currentTimeMillis
      const [cutoff = Number.NaN] = cutoffsOf(groups)
      expect(cutoff % minute).toBe(0)
      // The backend's clock may differ from this process's, by less than a minute where tests run.
      expect(cutoff).toBeGreaterThanOrEqual(before - Duration.toMillis(hours(5)) - 2 * minute)
      expect(cutoff).toBeLessThanOrEqual(after - Duration.toMillis(hours(5)) + minute)
    })
  )

  check("answers every group in force, also when nothing is asked", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      expect(yield* node.progress.raiseCutoffs(storeId, [])).toEqual([])
      const groups = yield* node.progress.raiseCutoffs(storeId, [
        { events: ["A", "B"], olderThan: hours(1) },
        { events: ["C"], olderThan: hours(2) }
      ])
      expect(eventsOf(groups)).toEqual([["A", "B"], ["C"]])
      expect(sorted(yield* peer.progress.raiseCutoffs(storeId, []))).toEqual(sorted(groups))
    })
  )

  check("never lowers a cut-off", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const [first = Number.NaN] = cutoffsOf(
        yield* node.progress.raiseCutoffs(storeId, [{ events: ["A"], olderThan: hours(1) }])
      )
      const [later = Number.NaN] = cutoffsOf(
        yield* peer.progress.raiseCutoffs(storeId, [{ events: ["A"], olderThan: hours(9) }])
      )
      expect(later).toBe(first)
    })
  )

  check("raises a cut-off when a shorter age is asked", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const [first = Number.NaN] = cutoffsOf(
        yield* node.progress.raiseCutoffs(storeId, [{ events: ["A"], olderThan: hours(9) }])
      )
      const [later = Number.NaN] = cutoffsOf(
        yield* node.progress.raiseCutoffs(storeId, [{ events: ["A"], olderThan: hours(1) }])
      )
      expect(later).toBeGreaterThanOrEqual(first + Duration.toMillis(hours(8)))
    })
  )

  check("keeps groups for good: only events in none form a new one", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.progress.raiseCutoffs(storeId, [{ events: ["A", "B"], olderThan: hours(9) }])
      const groups = yield* peer.progress.raiseCutoffs(storeId, [{ events: ["B", "C", "D", "C"], olderThan: hours(1) }])
      expect(eventsOf(groups)).toEqual([
        ["A", "B"],
        ["C", "D"]
      ])
      const [shared, fresh] = cutoffsOf(groups)
      expect(shared).toBe(fresh)
      expect(
        eventsOf(yield* node.progress.raiseCutoffs(storeId, [{ events: ["A", "D"], olderThan: hours(1) }]))
      ).toEqual([
        ["A", "B"],
        ["C", "D"]
      ])
    })
  )

  check("leaves groups alone that share no event with a request", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const [before] = cutoffsOf(yield* node.progress.raiseCutoffs(storeId, [{ events: ["A"], olderThan: hours(9) }]))
      const groups = yield* node.progress.raiseCutoffs(storeId, [{ events: ["Z"], olderThan: hours(1) }])
      expect(cutoffsOf(groups)[0]).toBe(before)
    })
  )

  check("forms one group for requests that race", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* Effect.forEach(
        [node, peer, node, peer, node, peer],
        ({ progress }) => progress.raiseCutoffs(storeId, [{ events: ["A", "B"], olderThan: hours(1) }]),
        { concurrency: "unbounded" }
      )
      expect(eventsOf(yield* node.progress.raiseCutoffs(storeId, []))).toEqual([["A", "B"]])
    })
  )

  check("keeps stores apart", ({ node }) =>
    Effect.gen(function* () {
      yield* node.progress.raiseCutoffs(freshStoreId(), [{ events: ["A"], olderThan: hours(1) }])
      expect(yield* node.progress.raiseCutoffs(freshStoreId(), [])).toEqual([])
    })
  )

  check("takes an age beyond all time for no age at all", ({ node }) =>
    Effect.gen(function* () {
      const groups = yield* node.progress.raiseCutoffs(freshStoreId(), [
        { events: ["A"], olderThan: Duration.infinity }
      ])
      expect(groups).toEqual([{ events: ["A"], cutoff: 0 }])
    })
  )
}
