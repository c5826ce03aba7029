import { Effect, Fiber } from "effect"
import { awaitHead, freshStoreId, listening, makeRecords } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const wakeups: Topic = (check) => {
  check("emits as soon as it listens, also for a store that has no entries", ({ node }) =>
    listening(node.feeds, freshStoreId())
  )

  check("emits for commits of its own node", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const next = yield* listening(node.feeds, storeId)
      yield* node.feeds.append(storeId, makeRecords(1))
      yield* next
      yield* node.feeds.append(storeId, makeRecords(1))
      yield* next
    })
  )

  check("emits for commits of another node", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const next = yield* listening(node.feeds, storeId)
      yield* peer.feeds.append(storeId, makeRecords(1))
      yield* next
      yield* peer.feeds.append(storeId, makeRecords(1))
      yield* next
    })
  )

  check("wakes every listener", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const listeners = yield* Effect.forEach([node, node, peer, peer], ({ feeds }) => listening(feeds, storeId))
      yield* node.feeds.append(storeId, makeRecords(1))
      yield* Effect.all(listeners, { concurrency: "unbounded" })
    })
  )

  check("keeps waking the others when one listener leaves", ({ node }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const next = yield* listening(node.feeds, storeId)
      yield* Effect.scoped(listening(node.feeds, storeId))
      yield* node.feeds.append(storeId, makeRecords(1))
      yield* next
    })
  )

  check("lets a reader that looks after each element miss nothing, whenever commits happen", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      const rounds = 20 * scale
      for (let round = 0; round < rounds; round++) {
        const storeId = freshStoreId()
        const reader = yield* Effect.forkChild(awaitHead(peer.feeds, storeId, 4))
        yield* Effect.forEach([1, 2, 3, 4], () => node.feeds.append(storeId, makeRecords(1)), {
          concurrency: round % 2 === 0 ? 1 : 4
        })
        yield* Fiber.join(reader)
      }
    })
  )
}
