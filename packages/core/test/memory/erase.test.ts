import { describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { expect } from "vitest"
import { freshStoreId, knownAt, makeRecords } from "../../src/conformance/fixtures.ts"
import { makeMemoryState } from "../../src/memory/backend.ts"
import { makeFeedAdmin } from "../../src/memory/feedAdmin.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeStoreProgress } from "../../src/memory/storeProgress.ts"

describe("erase in memory", () => {
  it.effect("keeps the tombstone and nothing else", () =>
    Effect.gen(function* () {
      const { feeds: feedState, progress: progressState } = makeMemoryState()
      const feeds = makeFeedStore(feedState)
      const progress = makeStoreProgress(progressState, feedState)
      const storeId = freshStoreId()
      yield* feeds.append(storeId, makeRecords(3))
      const lease = yield* progress.lease(storeId)
      if (Option.isSome(lease)) yield* lease.value.advance(yield* knownAt(feeds, storeId, 2))
      yield* progress.raiseCutoffs(storeId, [{ events: ["Noted"], olderThan: Duration.hours(1) }])

      yield* makeFeedAdmin(feedState, progressState).erase(storeId)
      yield* progress.raiseCutoffs(storeId, [{ events: ["Noted"], olderThan: Duration.hours(1) }])
      yield* progress.lease(storeId)
      expect(Array.from(feedState.erased)).toEqual([storeId])
      expect(feedState.feeds.size).toBe(0)
      expect(Array.from(feedState.storeIds.after(undefined))).toEqual([])
      expect(progressState.cursors.size).toBe(0)
      expect(progressState.holders.size).toBe(0)
      expect(progressState.groups.size).toBe(0)
    })
  )
})
