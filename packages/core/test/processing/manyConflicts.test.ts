import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { HandlerFailure } from "../../src/processing/failures.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  modes,
  range,
  setRecord,
  startNode,
  type TestOptions
} from "./harness.ts"

const idAt = (msecs: number) => EventJournal.makeEntryIdUnsafe({ msecs })

describe.each(modes)("an entry that comes after many newer ones, in %s", (_, servicesOf) => {
  /** Runs a late entry of value 0, after so many newer ones, with one of another key behind it. */
  const runLate = Effect.fnUntraced(function* (newer: number, limits: TestOptions["limits"]) {
    const backend = yield* makeBackend
    const seen: Array<readonly [value: number, conflicts: ReadonlyArray<number>]> = []
    const failures: Array<HandlerFailure> = []
    const handlers = handlersOf(({ conflicts, payload }) =>
      Effect.sync(() => void seen.push([payload.value, conflicts.map(({ payload }) => payload.value)]))
    )
    const node = yield* startNode(servicesOf(backend), handlers, {
      limits,
      onHandlerFailure: (failure) => failures.push(failure)
    })
    const storeId = freshStoreId()
    const records = range(1, newer).map((value) => setRecord(value, { id: idAt(1_000 + value) }))
    yield* commit(backend, node, storeId, records)
    yield* node.processing.processed(storeId, newer)
    yield* commit(backend, node, storeId, [setRecord(0, { id: idAt(1) }), setRecord(-1, { key: "other" })])
    yield* node.processing.processed(storeId, newer + 2)
    return { failures, seen: seen.slice(newer) }
  })

  it.effect("is given all of them", () =>
    Effect.gen(function* () {
      const { failures, seen } = yield* runLate(1_000, {})
      expect(seen).toEqual([
        [0, range(1, 1_000)],
        [-1, []]
      ])
      expect(failures).toEqual([])
    })
  )

  it.effect("fails where they are too many, and the handler isn't run with some of them", () =>
    Effect.gen(function* () {
      for (const limits of [{ maxConflicts: 9 }, { maxConflictBytes: 100 }]) {
        const { failures, seen } = yield* runLate(10, limits)
        expect(seen).toEqual([[-1, []]])
        expect(failures).toMatchObject([{ sequence: 11, reason: "TooManyConflicts", cause: { event: "Set" } }])
      }
      expect((yield* runLate(10, { maxConflicts: 10 })).failures).toEqual([])
    })
  )
})
