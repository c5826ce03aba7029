import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { IsReplay } from "../../src/processing/handlers.ts"
import { makeConnection } from "./faults.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  modes,
  range,
  rest,
  scaled,
  setRecord,
  setRecords,
  startNode,
  type TestOptions
} from "./harness.ts"

/** Handlers that record what they saw, and whether they had seen it before. */
const makeSeen = () => {
  const seen: Array<readonly [value: number, isReplay: boolean]> = []
  const conflicts: Array<ReadonlyArray<number>> = []
  const failing = new Set<number>()
  const handlers = handlersOf((input) =>
    Effect.flatMap(IsReplay, (isReplay) => {
      const { value } = input.payload
      seen.push([value, isReplay])
      conflicts.push(input.conflicts.map(({ payload }) => payload.value))
      return failing.has(value) ? Effect.fail("no") : Effect.void
    })
  )
  return { seen, conflicts, failing, handlers }
}

const again = (first: number, last: number) => range(first, last).map((value) => [value, true] as const)
const anew = (first: number, last: number) => range(first, last).map((value) => [value, false] as const)

/** Lets some time pass, bit by bit, so that what waits for several timers goes on. */
const pass = (seconds: number) =>
  Effect.forEach(range(1, seconds), () => Effect.andThen(rest, TestClock.adjust("1 second")), { discard: true }).pipe(
    Effect.andThen(rest)
  )

describe.each(modes)("a store that is rebuilt, in %s", (_, servicesOf) => {
  const setUp = Effect.fnUntraced(function* (options: TestOptions = {}, count = 6) {
    const backend = yield* makeBackend
    const services = servicesOf(backend)
    const told = makeSeen()
    const node = yield* startNode(services, told.handlers, options)
    const storeId = freshStoreId()
    yield* commit(backend, node, storeId, setRecords(1, count))
    yield* node.processing.processed(storeId, count)
    yield* pass(1)
    told.seen.length = 0
    told.conflicts.length = 0
    return { backend, services, node, storeId, ...told }
  })

  it.effect("has its handlers see all entries again, in order, and new ones behind", () =>
    Effect.gen(function* () {
      const { backend, node, seen, storeId } = yield* setUp({ limits: { maxPageEntries: 2, maxPageBytes: 10_000 } })
      yield* node.processing.rewind(storeId, 0)
      yield* commit(backend, node, storeId, setRecords(7, 8))
      yield* node.processing.processed(storeId, 8)
      yield* pass(2)
      expect(seen.filter(([, isReplay]) => isReplay)).toEqual(again(1, 6))
      expect(seen.slice(-8)).toEqual([...again(1, 6), ...anew(7, 8)])
      expect(yield* backend.progress.cursors([storeId])).toEqual([8])
    })
  )

  it.effect("is told of it before, and again when that failed, and no entry is handled until it succeeds", () =>
    Effect.gen(function* () {
      const resets: Array<unknown> = []
      let isBroken = true
      const { node, seen, storeId } = yield* setUp({
        onReset: ({ from, storeId }) => {
          resets.push([storeId, from, seen.length])
          return isBroken ? Promise.reject(new Error("no")) : Promise.resolve()
        }
      })
      yield* node.processing.rewind(storeId, 2)
      yield* pass(1)
      expect(resets.length).toBeGreaterThan(0)
      expect(seen).toEqual([])
      isBroken = false
      yield* pass(40)
      expect(resets.every((reset) => JSON.stringify(reset) === JSON.stringify([storeId, 3, 0]))).toBe(true)
      expect(seen).toEqual(again(3, 6))
    })
  )

  it.effect("goes on where it stopped when the node closes, and is not told again", () =>
    Effect.gen(function* () {
      let resets = 0
      const { backend, failing, node, seen, services, storeId } = yield* setUp({
        retry: { attempts: 2, backoff: { min: "1 minute", max: "1 minute" } },
        onReset: () => resets++
      })
      // It is in the middle, and waits.
      failing.add(4)
      yield* node.processing.rewind(storeId, 0)
      yield* pass(2)
      expect(seen).toEqual(again(1, 4))
      yield* node.close
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
      const next = makeSeen()
      const taking = yield* startNode(services, next.handlers, { onReset: () => resets++ })
      yield* taking.processing.processed(storeId, 6)
      expect(next.seen).toEqual(again(4, 6))
      expect(resets).toBe(1)
    })
  )

  it.effect("is rebuilt by the node that holds its lease, or takes it, whichever is asked", () =>
    Effect.gen(function* () {
      const { backend, node, seen, services, storeId } = yield* setUp({ linger: "10 minutes" })
      const other = makeSeen()
      const asked = yield* startNode(services, other.handlers)
      yield* asked.processing.rewind(storeId, 0)
      // The holder is busy with the store.
      yield* commit(backend, node, storeId, setRecords(7, 7))
      yield* pass(5)
      yield* node.processing.processed(storeId, 7)
      const handled = [...seen, ...other.seen]
      expect(handled.filter(([, isReplay]) => isReplay)).toEqual(again(1, 6))
      expect(handled.at(-1)).toEqual([7, false])
      expect(yield* backend.progress.cursors([storeId])).toEqual([7])
    })
  )

  it.effect("is rebuilt where the node that was asked is gone", () =>
    Effect.gen(function* () {
      const { backend, node, seen, services, storeId } = yield* setUp()
      yield* node.close
      yield* backend.progress.rewind(storeId, 0)
      const next = makeSeen()
      yield* startNode(services, next.handlers)
      yield* pass(1)
      expect([seen, next.seen]).toEqual([[], again(1, 6)])
    })
  )

  it.effect("shows handlers the conflicts that they saw", () =>
    Effect.gen(function* () {
      const { backend, conflicts, node, storeId } = yield* setUp()
      const [early, late] = [setRecord(7), setRecord(8)]
      yield* commit(backend, node, storeId, [late, early])
      yield* node.processing.processed(storeId, 8)
      yield* pass(1)
      const before = conflicts.slice()
      expect(before).toEqual([[], [8]])
      yield* node.processing.rewind(storeId, 6)
      yield* pass(1)
      expect(conflicts.slice(2)).toEqual(before)
    })
  )

  it.effect("keeps what fails this time, and nothing of before", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId } = yield* setUp()
      failing.add(7).add(8)
      yield* commit(backend, node, storeId, setRecords(7, 8))
      yield* node.processing.processed(storeId, 8)
      yield* pass(1)
      const kept = Effect.map(backend.progress.failures.list({ storeId, limit: 9 }), (all) =>
        all.map(({ attempts, sequence }) => [sequence, attempts])
      )
      expect(yield* kept).toEqual([
        [7, 1],
        [8, 1]
      ])
      failing.delete(7)
      failing.add(2)
      yield* node.processing.rewind(storeId, 0)
      yield* pass(1)
      expect(yield* kept).toEqual([
        [2, 1],
        [8, 1]
      ])
    })
  )
})

describe("a rebuild", () => {
  it.live(
    "makes the same of many entries",
    () =>
      Effect.gen(function* () {
        const count = scaled(20_000, 1_000_000)
        const backend = yield* makeBackend
        const storeId = freshStoreId()
        const sums = new Map<string, number>()
        const handlers = handlersOf(({ payload: { key, value } }) =>
          Effect.sync(() => void sums.set(key, ((sums.get(key) ?? 0) * 31 + value) % 1_000_003))
        )
        for (let first = 1; first <= count; first += 10_000) {
          const last = Math.min(count, first + 9_999)
          const records = range(first, last).map((value) => setRecord(value, { key: `key ${value % 97}` }))
          yield* backend.feeds.append(storeId, records)
        }
        const node = yield* startNode(backend.services, handlers, { onReset: () => sums.clear() })
        yield* node.processing.processed(storeId, count)
        const expected = new Map(sums)
        yield* node.processing.rewind(storeId, 0)
        yield* node.processing.processed(storeId, count)
        expect(sums).toEqual(expected)
        expect(node.processing.stats().processed).toBe(2 * count)
      }),
    600_000
  )

  it.live(
    "makes the same of a long feed, whatever dies and is written meanwhile",
    () =>
      Effect.gen(function* () {
        const count = scaled(5_000, 100_000)
        const backend = yield* makeBackend
        const storeId = freshStoreId()
        /** What handlers made of the feed: of each key the last value, and how many there were. */
        const view = new Map<string, readonly [value: number, times: number]>()
        const handlers = handlersOf(({ payload: { key, value } }) =>
          Effect.sync(() => void view.set(key, [value, (view.get(key)?.[1] ?? 0) + 1]))
        )
        const options = {
          leaseRetry: { min: 1, max: 5 },
          sweepInterval: 20,
          onReset: () => view.clear()
        }
        const records = range(1, count).map((value) => setRecord(value, { key: `key ${value % 97}` }))
        for (let start = 0; start < count; start += 10_000) {
          yield* backend.feeds.append(storeId, records.slice(start, start + 10_000))
        }
        const first = yield* startNode(backend.services, handlers, options)
        yield* first.processing.processed(storeId, count)
        yield* first.close
        const expected = new Map(view)
        expect(expected.size).toBe(97)

        yield* backend.progress.rewind(storeId, 0)
        for (let life = 0; life < 5; life++) {
          const connection = makeConnection(backend.services)
          const node = yield* startNode(connection.services, handlers, options)
          const written = yield* commit(backend, node, storeId, [setRecord(count + life + 1, { key: `new ${life}` })])
          expect(written[0]?.sequence).toBe(count + life + 1)
          yield* Effect.sleep(3)
          yield* node.close
        }
        const last = yield* startNode(backend.services, handlers, options)
        yield* last.processing.processed(storeId, count + 5)
        for (let life = 0; life < 5; life++) {
          expect(view.get(`new ${life}`)).toEqual([count + life + 1, 1])
          view.delete(`new ${life}`)
        }
        expect(view).toEqual(expected)
      }),
    600_000
  )
})
