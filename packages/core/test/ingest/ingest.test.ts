import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { entry, makeScene, storeId } from "./harness.ts"

/** The replacement that a compaction made. */
const replacement = (): EventJournal.Entry => {
  const made = entry("replacement")
  const id = Uint8Array.from(made.id) as EventJournal.EntryId
  id[6] = 0x80
  return new EventJournal.Entry({ ...made, id }, { disableChecks: true })
}

describe("ingest", () => {
  it.effect("gives every slot its sequence, duplicates the first one's, and tells what is new", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [a, b, c] = [entry("a"), entry("b"), entry("c")]
      expect((yield* scene.write([a, b, a])).exit).toMatchObject({
        value: { sequenceNumbers: [1, 2, 1], committed: [{ remoteSequence: 1 }, { remoteSequence: 2 }] }
      })
      expect((yield* scene.write([b, c])).exit).toMatchObject({
        value: { sequenceNumbers: [2, 3], committed: [{ remoteSequence: 3, entry: { primaryKey: "c" } }] }
      })
      expect(scene.ingest.committed()).toBe(3)
    })
  )

  it.effect("acks a replacement with 0 in its slot, and stores nothing of it", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      expect((yield* scene.write([replacement()])).sequenceNumbers).toEqual([0])
      expect((yield* scene.write([replacement(), entry("a"), replacement(), entry("b")])).sequenceNumbers).toEqual([
        0, 1, 0, 2
      ])
      expect((yield* scene.write([])).sequenceNumbers).toEqual([])
      expect(yield* scene.stored).toEqual(["a", "b"])
    })
  )

  it.effect("tells of a commit after the ack, and only when something is new", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const a = entry("a")
      const told: Array<number> = []
      scene.ingest.submit({ storeId, entries: [a], author: null, transportOnly: true }, () =>
        told.push(scene.committed.length)
      )
      yield* scene.ingest.idle
      expect(told).toEqual([0])
      yield* scene.write([a])
      expect(scene.committed).toEqual([storeId])
    })
  )

  it.effect("fails what goes to an erased store", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.write([entry("a")])
      yield* scene.admin.erase(storeId)
      expect((yield* scene.write([entry("b")])).failure).toBe("StoreErasedError")
    })
  )
})
