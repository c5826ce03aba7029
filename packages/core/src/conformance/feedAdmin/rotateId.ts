import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import type { Topic } from "../suite.ts"

const bytes = (id: Uint8Array) => Array.from(id)

export const rotateId: Topic = (check) => {
  check("gives the backend another id, for every node and from then on", ({ node, peer }) =>
    Effect.gen(function* () {
      const before = yield* node.admin.id
      const { id, isNew } = yield* peer.admin.rotateId(before)
      expect(isNew).toBe(true)
      expect(id.byteLength).toBe(16)
      expect(bytes(id)).not.toEqual(bytes(before))
      for (const { admin } of [node, peer]) expect(bytes(yield* admin.id)).toEqual(bytes(id))
    })
  )

  check("changes nothing where the id is another one than expected", ({ node, peer }) =>
    Effect.gen(function* () {
      const before = yield* node.admin.id
      const { id } = yield* node.admin.rotateId(before)
      for (const expected of [before, EventJournal.makeRemoteIdUnsafe()]) {
        const late = yield* peer.admin.rotateId(expected)
        expect(late.isNew).toBe(false)
        expect(bytes(late.id)).toEqual(bytes(id))
      }
      expect(bytes(yield* node.admin.id)).toEqual(bytes(id))
    })
  )

  check("is done once by many who expect the same", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 3 * scale; round++) {
        const before = yield* node.admin.id
        const rotations = yield* Effect.forEach(
          Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? node : peer)),
          ({ admin }) => admin.rotateId(before),
          { concurrency: "unbounded" }
        )
        expect(rotations.filter(({ isNew }) => isNew)).toHaveLength(1)
        expect(new Set(rotations.map(({ id }) => String(id))).size).toBe(1)
      }
    })
  )
}
