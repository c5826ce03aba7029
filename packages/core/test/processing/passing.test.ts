import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { FeedRecord } from "../../src/backend/FeedStore.ts"
import { commit, freshStoreId, makeBackend, makeJournal, setRecord, startNode } from "./harness.ts"

const unknownEvent = (record: FeedRecord): FeedRecord => ({
  ...record,
  entry: new EventJournal.Entry({ ...record.entry, event: "Renamed" }, { disableChecks: true })
})

describe("the cursor passes", () => {
  it.effect("transport-only entries, and hands them to nobody", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const invalidated: Array<string> = []
      yield* node.registry.registerReactivity({ Set: ["sets"] })
      node.reactivity.registerUnsafe(["sets"], () => invalidated.push("sets"))
      const storeId = freshStoreId()
      const silent = [1, 2, 3].map((value) => ({ ...setRecord(value), transportOnly: true }))
      yield* commit(backend, node, storeId, [...silent, setRecord(4), ...silent.slice(0, 1)])
      yield* node.processing.processed(storeId, 4)
      expect(journal.values(storeId)).toEqual([4])
      expect(invalidated).toEqual(["sets"])
      expect(node.processing.stats()).toMatchObject({ processed: 4, handlerFailures: 0 })
    })
  )

  it.effect("a feed of nothing but transport-only entries", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [{ ...setRecord(1), transportOnly: true }])
      yield* node.processing.processed(storeId, 1)
    })
  )

  it.effect("events that it is to ignore", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers, {
        ignoredEvents: [unknownEvent(setRecord(1)).entry.event]
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [unknownEvent(setRecord(1)), setRecord(2), unknownEvent(setRecord(3))])
      yield* node.processing.processed(storeId, 3)
      expect(journal.values(storeId)).toEqual([2])
      expect(node.processing.stats().handlerFailures).toBe(0)
    })
  )
})
