import { Effect, Exit, Option, Scope } from "effect"
import { expect } from "vitest"
import type { KnownEntry } from "../../backend/FeedStore.ts"
import { FeedLostError } from "../../backend/StorageError.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, knownAt, losesLease, makeRecord, makeRecords, range } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

/** Takes the lease in a scope of its own, so that the test says when it ends. */
const take = Effect.fnUntraced(function* (node: Node, storeId: StoreId) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const lease = yield* Scope.provide(node.progress.lease(storeId), scope)
  return { lease: Option.getOrUndefined(lease), release: Scope.close(scope, Exit.void) }
})

/** The entries of a store that has ten, by their sequences. */
const writeTen = Effect.fnUntraced(function* ({ feeds }: Node, storeId: StoreId) {
  yield* feeds.append(storeId, makeRecords(10))
  const known = yield* Effect.forEach(range(1, 10), (sequence) => knownAt(feeds, storeId, sequence))
  return (sequence: number): KnownEntry => known[sequence - 1]!
})

export const lease: Topic = (check) => {
  check("starts at 0 and hands the cursor on", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const at = yield* writeTen(node, storeId)
      const first = yield* take(node, storeId)
      expect(first.lease?.cursor).toBe(0)
      yield* first.lease?.advance(at(3)) ?? Effect.void
      yield* first.lease?.advance(at(7)) ?? Effect.void
      yield* first.release
      const second = yield* take(peer, storeId)
      expect(second.lease?.cursor).toBe(7)
    })
  )

  check("is held by one holder, whichever node asks", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const held = yield* take(node, storeId)
      expect(held.lease).toBeDefined()
      expect((yield* take(node, storeId)).lease).toBeUndefined()
      const refused = yield* take(peer, storeId)
      expect(refused.lease).toBeUndefined()
      yield* refused.release
      expect((yield* take(peer, storeId)).lease).toBeUndefined()
      yield* held.release
      expect((yield* take(peer, storeId)).lease).toBeDefined()
    })
  )

  check("goes to one of many who ask at once", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 4 * scale; round++) {
        const storeId = freshStoreId()
        const taken = yield* Effect.forEach(range(1, 16), (index) => take(index % 2 === 0 ? node : peer, storeId), {
          concurrency: "unbounded"
        })
        expect(taken.filter(({ lease }) => lease !== undefined)).toHaveLength(1)
        yield* Effect.forEach(taken, ({ release }) => release)
      }
    })
  )

  check("is held per store", ({ node, peer }) =>
    Effect.gen(function* () {
      const [one, other] = [freshStoreId(), freshStoreId()]
      const at = yield* writeTen(node, one)
      const first = yield* take(node, one)
      const second = yield* take(peer, other)
      yield* first.lease?.advance(at(5)) ?? Effect.void
      expect(second.lease?.cursor).toBe(0)
      expect(yield* node.progress.cursors([one, other])).toEqual([5, 0])
    })
  )

  check("never moves the cursor back", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const at = yield* writeTen(node, storeId)
      const { lease } = yield* take(node, storeId)
      yield* lease?.advance(at(9)) ?? Effect.void
      yield* lease?.advance(at(9)) ?? Effect.void
      yield* lease?.advance(at(4)) ?? Effect.void
      expect(yield* node.progress.cursors([storeId])).toEqual([9])
    })
  )

  check("moves nothing for a holder that gave it back", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const at = yield* writeTen(node, storeId)
      const { lease, release } = yield* take(node, storeId)
      yield* lease?.advance(at(2)) ?? Effect.void
      yield* release
      expect(lease && (yield* losesLease(lease.advance(at(5))))).toBe(true)
      expect(yield* peer.progress.cursors([storeId])).toEqual([2])
    })
  )

  check(
    "moves nothing for a holder that lost it, and tells it so",
    ({ expireLease, node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        const at = yield* writeTen(node, storeId)
        const lost = yield* take(node, storeId)
        yield* lost.lease?.advance(at(2)) ?? Effect.void
        yield* Effect.promise(async () => expireLease?.(storeId))
        const held = yield* take(peer, storeId)
        expect(held.lease?.cursor).toBe(2)
        expect(lost.lease && (yield* losesLease(lost.lease.advance(at(5))))).toBe(true)
        expect(yield* node.progress.cursors([storeId])).toEqual([2])
        yield* held.lease?.advance(at(4)) ?? Effect.void
        expect(yield* node.progress.cursors([storeId])).toEqual([4])
      }),
    "expireLease"
  )

  check(
    "stays with its new holder when the one that lost it gives up",
    ({ expireLease, node, peer }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        const at = yield* writeTen(node, storeId)
        const lost = yield* take(node, storeId)
        yield* Effect.promise(async () => expireLease?.(storeId))
        const held = yield* take(peer, storeId)
        expect(held.lease).toBeDefined()
        yield* lost.release
        expect((yield* take(node, storeId)).lease).toBeUndefined()
        yield* held.lease?.advance(at(1)) ?? Effect.void
      }),
    "expireLease"
  )

  check("moves nothing to an entry that the feed doesn't hold, and tells so", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const at = yield* writeTen(node, storeId)
      const { lease } = yield* take(node, storeId)
      yield* lease?.advance(at(3)) ?? Effect.void
      const { id } = makeRecord().entry
      for (const missing of [
        { sequence: 5, id },
        { sequence: 11, id },
        { sequence: 4, id: at(5).id }
      ]) {
        const error = yield* lease === undefined ? Effect.void : Effect.flip(lease.advance(missing))
        expect(error).toBeInstanceOf(FeedLostError)
        expect(error).toMatchObject({ storeId, sequence: missing.sequence })
      }
      expect(yield* peer.progress.cursors([storeId])).toEqual([3])
      yield* lease?.advance(at(4)) ?? Effect.void
      expect(yield* peer.progress.cursors([storeId])).toEqual([4])
    })
  )

  check("moves nothing for a holder whose history is over, though the entry is in its place", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const at = yield* writeTen(node, storeId)
      const remoteId = yield* node.admin.id
      const { lease } = yield* take(node, storeId)
      yield* lease?.advance({ ...at(3), remoteId }) ?? Effect.void
      yield* peer.admin.rotateId(remoteId)
      yield* peer.admin.id
      yield* peer.feeds.append(storeId, makeRecords(1))
      const error = yield* lease === undefined ? Effect.void : Effect.flip(lease.advance({ ...at(5), remoteId }))
      expect(error).toBeInstanceOf(FeedLostError)
      expect(yield* peer.progress.cursors([storeId])).toEqual([3])
    })
  )
}
