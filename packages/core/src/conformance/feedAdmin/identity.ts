import { Effect } from "effect"
import { expect } from "vitest"
import type { Topic } from "../suite.ts"

export const identity: Topic = (check) => {
  check("is 16 bytes, the same for every node and every time", ({ node, peer }) =>
    Effect.gen(function* () {
      const id = yield* node.admin.id
      expect(id.byteLength).toBe(16)
      expect(Array.from(yield* node.admin.id)).toEqual(Array.from(id))
      expect(Array.from(yield* peer.admin.id)).toEqual(Array.from(id))
    })
  )

  check("belongs to the caller", ({ node }) =>
    Effect.gen(function* () {
      const before = Array.from(yield* node.admin.id)
      const id = yield* node.admin.id
      id.fill(0)
      expect(Array.from(yield* node.admin.id)).toEqual(before)
    })
  )
}
