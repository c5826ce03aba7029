import { describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { failingAtFirst, makeConnection, type Operation } from "./faults.ts"
import { commit, freshStoreId, makeBackend, makeJournal, range, setRecord, setRecords, startNode } from "./harness.ts"

const until = (condition: () => boolean) => Effect.sleep(1).pipe(Effect.repeat({ until: condition }))

const options = {
  limits: { maxPageEntries: 4, maxPageBytes: 10_000 },
  outageRetry: { min: 1, max: 4 },
  sweepInterval: 50
}

/** `Set`s of ten values, each made before the ones that it comes after: so all of those before are its conflicts. */
const lateRecords = (first: number) =>
  range(first, first + 9).map((value) =>
    setRecord(value, { id: EventJournal.makeEntryIdUnsafe({ msecs: 1_000_000 - value }) })
  )

const operations: ReadonlyArray<Operation> = ["lease", "read", "bucket", "advance", "wakeups", "behind"]

describe("an outage of the backend loses and repeats nothing", () => {
  for (const operation of operations) {
    for (const retryable of [true, false]) {
      it.live(`when ${operation} fails ${retryable ? "for now" : "as if for good"}`, () =>
        Effect.gen(function* () {
          const backend = yield* makeBackend
          const faulty = failingAtFirst(backend.services, operation, 3, retryable)
          const journal = makeJournal()
          const node = yield* startNode(faulty.services, journal.handlers, options)
          const storeId = freshStoreId()
          for (const first of [1, 11, 21]) {
            yield* commit(backend, node, storeId, lateRecords(first))
            yield* until(() => backend.state.progress.cursors.get(storeId) === first + 9)
          }
          yield* until(() => faulty.failed() === 3)
          expect(journal.values(storeId)).toEqual(range(1, 30))
          expect(node.processing.stats().handlerFailures).toBe(0)
        })
      )
    }
  }

  it.live("when everything is away at any time", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const connection = makeConnection(backend.services)
      const journal = makeJournal()
      const node = yield* startNode(connection.services, journal.handlers, options)
      const storeId = freshStoreId()
      for (const round of range(0, 19)) {
        yield* commit(backend, node, storeId, setRecords(round * 5 + 1, round * 5 + 5))
        connection.become(round % 2 === 0 ? "away" : "up")
        yield* Effect.sleep(round % 5)
      }
      connection.become("up")
      yield* node.processing.processed(storeId, 100)
      expect(journal.values(storeId)).toEqual(range(1, 100))
    })
  )

  it.live("and keeps no other store waiting", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const sick = freshStoreId()
      const feeds = {
        ...backend.feeds,
        read: (...args: Parameters<typeof backend.feeds.read>) =>
          args[0] === sick ? Effect.fail(corrupt) : backend.feeds.read(...args)
      }
      const node = yield* startNode(Context.add(backend.services, FeedStore, feeds), journal.handlers, {
        ...options,
        maxStores: 1
      })
      const healthy = freshStoreId()
      yield* commit(backend, node, sick, setRecords(1, 1))
      yield* commit(backend, node, healthy, setRecords(1, 10))
      yield* node.processing.processed(healthy, 10)
    })
  )
})

const corrupt = new StorageError({ operation: "FeedStore.read", retryable: false, cause: new Error("a corrupt row") })
