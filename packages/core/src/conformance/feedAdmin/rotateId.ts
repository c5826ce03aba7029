import { Effect } from "effect"
import { expect } from "vitest"
import { freshStoreId, makeRecords, readAll } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

export const rotateId: Topic = (check) => {
  check("gives every node a new id of 16 bytes and keeps the feeds", ({ node, peer }) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      yield* node.feeds.append(storeId, makeRecords(2))
      const before = Array.from(yield* node.feeds.id)
      const rotated = yield* node.admin.rotateId
      expect(rotated.byteLength).toBe(16)
      expect(Array.from(rotated)).not.toEqual(before)
      expect(Array.from(yield* node.feeds.id)).toEqual(Array.from(rotated))
      expect(Array.from(yield* peer.feeds.id)).toEqual(Array.from(rotated))
      expect((yield* readAll(peer.feeds, storeId)).head).toBe(2)
    })
  )
}
