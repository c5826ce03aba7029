import { Effect } from "effect"
import { expect } from "vitest"
import { freshName, freshStoreId, range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

const signingKey = (byte: number) => new Uint8Array(32).fill(byte)

export const races: Topic = (check) => {
  check("enroll lets one of many stand, whole", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 4 * scale; round++) {
        const publicKey = freshName("key")
        const stores = range(1, 16).map(freshStoreId)
        const answers = yield* Effect.forEach(
          stores,
          (storeId, index) =>
            (index % 2 === 0 ? node : peer).registry.enroll({
              publicKey,
              storeId,
              signingPublicKey: signingKey(index)
            }),
          { concurrency: "unbounded" }
        )
        const standing = answers[0]
        for (const answer of answers) expect(answer).toEqual(standing)
        const winner = standing === undefined ? -1 : stores.indexOf(standing.storeId)
        expect(Array.from(standing?.signingPublicKey ?? [])).toEqual(Array.from(signingKey(winner)))
        expect(yield* node.registry.resolve(publicKey)).toBe(standing?.storeId)
      }
    })
  )

  check("bind lets one of many stand", ({ node, peer }) =>
    Effect.gen(function* () {
      const publicKey = freshName("key")
      yield* node.registry.assign({ publicKey, storeId: freshStoreId() })
      const answers = yield* Effect.forEach(
        range(1, 16),
        (byte) => (byte % 2 === 0 ? node : peer).registry.bind({ publicKey, signingPublicKey: signingKey(byte) }),
        { concurrency: "unbounded" }
      )
      for (const answer of answers) expect(Array.from(answer)).toEqual(Array.from(answers[0] ?? []))
    })
  )

  check("assign lets one of two stores stand", ({ node, peer }) =>
    Effect.gen(function* () {
      const publicKey = freshName("key")
      const stores = [freshStoreId(), freshStoreId()]
      const outcomes = yield* Effect.forEach(
        range(0, 15),
        (index) => {
          const storeId = stores[index % 2] ?? freshStoreId()
          return (index % 4 < 2 ? node : peer).registry.assign({ publicKey, storeId }).pipe(
            Effect.as({ storeId, failed: undefined as string | undefined }),
            Effect.catch(({ reason }) => Effect.succeed({ storeId, failed: reason as string | undefined }))
          )
        },
        { concurrency: "unbounded" }
      )
      const standing = yield* node.registry.resolve(publicKey)
      for (const { failed, storeId } of outcomes) {
        expect(failed).toBe(storeId === standing ? undefined : "AlreadyAssigned")
      }
    })
  )
}
