import { it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { countHeld } from "../server/garbage.ts"
import { makeScene, RecordingSink, range, settle, subscribe } from "./harness.ts"

it.effect("a subscription that rides the tail holds no page of its history", () =>
  Effect.gen(function* () {
    const read: Array<WeakRef<object>> = []
    const scene = yield* makeScene({}, (store) => ({
      // As from a database: what is read is the reader's, and nobody else holds it.
      read: (storeId, from, limits, known) =>
        Effect.tap(store.read(storeId, from, { ...limits, borrows: false }, known), (page) =>
          Effect.sync(() => {
            for (const { entry } of page.entries) read.push(new WeakRef(entry.payload))
          })
        )
    }))
    yield* scene.append(20)
    const sink = new RecordingSink()
    yield* subscribe(scene, sink)
    yield* settle
    expect(sink.sequences).toEqual(range(1, 20))
    sink.pages.length = 0
    // Others that come back at the same time find them for a while.
    yield* TestClock.adjust("2 seconds")
    expect(read.length).toBe(20)
    expect(yield* Effect.promise(() => countHeld(read))).toBe(0)
  })
)
