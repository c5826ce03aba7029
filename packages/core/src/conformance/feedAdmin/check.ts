import { Effect } from "effect"
import { expect } from "vitest"
import type { Topic } from "../suite.ts"

export const check: Topic = (check) => {
  check("finds what is needed, on every node and every time, and leaves the id as it is", ({ node, peer }) =>
    Effect.gen(function* () {
      const id = Array.from(yield* node.admin.id)
      for (const { admin } of [node, peer, node]) yield* admin.check
      expect(Array.from(yield* peer.admin.id)).toEqual(id)
    })
  )
}
