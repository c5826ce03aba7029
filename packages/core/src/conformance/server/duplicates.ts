import { Effect } from "effect"
import { expect } from "vitest"
import { range } from "../fixtures.ts"
import type { Topic } from "../suite.ts"
import { makeNote, makeNotes } from "./notes.ts"
import { expectGapless, openDevice, openFollower, twoServers, writeAcked } from "./situation.ts"

export const duplicates: Topic = (check) => {
  check("acknowledges a batch that comes to the other node again with its first sequences", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const [one, other] = [yield* openDevice(situation, here), yield* openDevice(situation, there)]
      const notes = makeNotes(3)
      expect(yield* writeAcked(one, notes)).toEqual([1, 2, 3])
      expect(yield* writeAcked(other, notes.toReversed())).toEqual([3, 2, 1])
      const [known = makeNote()] = notes
      expect(yield* writeAcked(other, [makeNote(), known, makeNote()])).toEqual([4, 1, 5])
      expect(yield* writeAcked(one, notes)).toEqual([1, 2, 3])
    })
  )

  check("stores and delivers a batch once that comes to both nodes at once", (nodes) =>
    Effect.gen(function* () {
      const situation = yield* twoServers(nodes)
      const { here, there } = situation
      const devices = [yield* openFollower(situation, here), yield* openFollower(situation, there)] as const
      const rounds = 4 * nodes.scale
      const ids: Array<string> = []
      for (const round of range(0, rounds - 1)) {
        const notes = makeNotes(3)
        const answers = yield* Effect.forEach(
          [devices[0], devices[1], devices[0], devices[1]],
          (device) => writeAcked(device, notes),
          { concurrency: "unbounded" }
        )
        for (const answer of answers) expect(answer).toEqual(range(3 * round + 1, 3 * round + 3))
        ids.push(...notes.map((entry) => entry.idString))
      }
      const last = makeNote()
      yield* writeAcked(devices[0], [last])
      for (const device of devices) {
        expect(expectGapless(yield* device.untilDelivered(3 * rounds + 1))).toEqual([...ids, last.idString])
      }
    })
  )
}
