import { Effect, Exit, Option, Scope } from "effect"
import { expect } from "vitest"
import type { StoreId } from "../../backend/StoreId.ts"
import type { Lease } from "../../backend/StoreProgress.ts"
import { freshStoreId, knownAt, losesLease, makeRecord, makeRecords } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

/** Does something with the lease of a store, and gives it back. */
const withLease = <A, E>({ progress }: Node, storeId: StoreId, use: (lease: Lease) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(progress.lease(storeId), (lease) => use(Option.getOrThrow(lease))))

/** A store of which some of ten entries were processed. */
const makeProcessed = Effect.fnUntraced(function* (node: Node, sequence: number) {
  const storeId = freshStoreId()
  yield* node.feeds.append(storeId, makeRecords(10))
  yield* advance(node, storeId, sequence)
  return storeId
})

const advance = (node: Node, storeId: StoreId, sequence: number) =>
  withLease(node, storeId, (lease) => Effect.flatMap(knownAt(node.feeds, storeId, sequence), lease.advance))

const rewind = (node: Node, storeId: StoreId) => withLease(node, storeId, (lease) => lease.rewind(() => Effect.void))

const progressOf = (node: Node, storeId: StoreId) =>
  withLease(node, storeId, ({ cursor, replayTo, rewindTo }) => Effect.succeed({ cursor, replayTo, rewindTo }))

export const rewinding: Topic = (check) => {
  check("moves the cursor back, and knows how far it was", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 8)
      expect(yield* progressOf(node, storeId)).toEqual({ cursor: 8, replayTo: 0, rewindTo: undefined })
      yield* peer.progress.rewind(storeId, 3)
      expect(yield* progressOf(node, storeId)).toEqual({ cursor: 8, replayTo: 0, rewindTo: 3 })
      expect(yield* node.progress.cursors([storeId])).toEqual([3])
      yield* rewind(node, storeId)
      expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 3, replayTo: 8, rewindTo: undefined })
      expect(yield* peer.progress.cursors([storeId])).toEqual([3])
      // It may be rewound again in the middle, and remembers how far it was for good.
      yield* advance(node, storeId, 5)
      yield* node.progress.rewind(storeId, 0)
      yield* rewind(peer, storeId)
      expect(yield* progressOf(node, storeId)).toEqual({ cursor: 0, replayTo: 8, rewindTo: undefined })
      yield* advance(node, storeId, 10)
      expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 10, replayTo: 8, rewindTo: undefined })
    })
  )

  check("goes to the least of the sequences that are wanted, and never forward", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 6)
      yield* node.progress.rewind(storeId, 4)
      yield* peer.progress.rewind(storeId, 2)
      yield* node.progress.rewind(storeId, 5)
      expect((yield* progressOf(node, storeId)).rewindTo).toBe(2)
      yield* rewind(node, storeId)
      yield* node.progress.rewind(storeId, 9)
      yield* rewind(node, storeId)
      expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 2, replayTo: 6, rewindTo: undefined })
    })
  )

  check("lets no holder move the cursor before it was done", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 4)
      yield* withLease(node, storeId, (lease) =>
        Effect.gen(function* () {
          yield* peer.progress.rewind(storeId, 0)
          expect(yield* losesLease(lease.advance(yield* knownAt(node.feeds, storeId, 7)))).toBe(true)
        })
      )
      expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 4, replayTo: 0, rewindTo: 0 })
      yield* rewind(peer, storeId)
      yield* advance(node, storeId, 1)
      expect(yield* peer.progress.cursors([storeId])).toEqual([1])
    })
  )

  check("does the work first, and nothing where that fails", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 4)
      yield* node.progress.rewind(storeId, 1)
      const failed = withLease(node, storeId, (lease) => lease.rewind(() => Effect.fail("no")))
      expect(yield* Effect.flip(failed)).toBe("no")
      expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 4, replayTo: 0, rewindTo: 1 })
      const cursors = withLease(node, storeId, (lease) =>
        Effect.gen(function* () {
          let before: ReadonlyArray<number> = []
          yield* lease.rewind((contain) =>
            Effect.flatMap(contain(Effect.succeed("done")), (exit) => {
              expect(exit).toEqual(Exit.succeed("done"))
              before = [lease.cursor]
              return Effect.void
            })
          )
          return [...before, ...(yield* peer.progress.cursors([storeId]))]
        })
      )
      expect(yield* cursors).toEqual([4, 1])
    })
  )

  check("forgets what failed behind the cursor, and nothing else", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 8)
      const failures = [2, 3, 4, 8].map((sequence) => ({
        ...{ sequence, entryId: makeRecord().entry.id, event: "Noted", primaryKey: "key", author: null },
        ...{ reason: "TimedOut" as const, message: "" }
      }))
      yield* node.progress.failures.record(storeId, failures)
      yield* node.progress.failures.retry(storeId, [2, 8])
      yield* peer.progress.rewind(storeId, 3)
      expect(yield* node.progress.failures.list({ storeId, limit: 9 })).toHaveLength(4)
      yield* rewind(peer, storeId)
      const left = yield* node.progress.failures.list({ storeId, limit: 9 })
      expect(left.map(({ isDue, sequence }) => [sequence, isDue])).toEqual([
        [2, true],
        [3, false]
      ])
      expect(yield* peer.progress.failures.list({ storeId, isDue: true, limit: 9 })).toHaveLength(1)
    })
  )

  check(
    "is fenced",
    ({ expireLease, node, peer }) =>
      Effect.gen(function* () {
        const storeId = yield* makeProcessed(node, 4)
        yield* node.progress.rewind(storeId, 0)
        const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
        const lost = Option.getOrThrow(yield* Scope.provide(node.progress.lease(storeId), scope))
        yield* Effect.promise(async () => expireLease?.(storeId))
        yield* withLease(peer, storeId, () =>
          Effect.gen(function* () {
            expect(yield* losesLease(lost.rewind(() => Effect.void))).toBe(true)
          })
        )
        expect(yield* progressOf(peer, storeId)).toEqual({ cursor: 4, replayTo: 0, rewindTo: 0 })
      }),
    "expireLease"
  )

  check("counts as behind until it is done, also at the head", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = yield* makeProcessed(node, 10)
      const isBehind = Effect.gen(function* () {
        let after: StoreId | undefined
        while (true) {
          const page = yield* peer.progress.behind(after, 500)
          if (page.includes(storeId)) return true
          if (page.length < 500) return false
          after = page.at(-1)
        }
      })
      expect(yield* isBehind).toBe(false)
      yield* node.progress.rewind(storeId, 10)
      expect(yield* isBehind).toBe(true)
      yield* rewind(node, storeId)
      expect(yield* isBehind).toBe(false)
      yield* node.progress.rewind(storeId, 0)
      yield* rewind(node, storeId)
      expect(yield* isBehind).toBe(true)
    })
  )

  check("does nothing for a store that never was, or was erased", ({ node, peer }) =>
    Effect.gen(function* () {
      yield* node.progress.rewind(freshStoreId(), 0)
      const storeId = yield* makeProcessed(node, 4)
      yield* node.progress.rewind(storeId, 0)
      yield* node.admin.erase(storeId)
      yield* peer.progress.rewind(storeId, 0)
      expect(Option.isNone(yield* Effect.scoped(peer.progress.lease(storeId)))).toBe(true)
      expect(yield* peer.progress.behind(undefined, 10_000)).not.toContain(storeId)
    })
  )
}
