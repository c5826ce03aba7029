import { Effect } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"
import type { Patiently } from "./patience.ts"
import type { Turns } from "./turns.ts"

/** Stores that are listed at a time. */
const pageSize = 256

/** What a sweep goes by. */
export interface SweepOptions {
  readonly progress: StoreProgress["Service"]
  readonly turns: Turns
  readonly patiently: Patiently
}

/** Has every store looked at that has something to do, a few at a time. */
export const sweep = Effect.fnUntraced(function* (
  { patiently, progress, turns }: SweepOptions,
  look: (storeId: StoreId) => void
) {
  let after: StoreId | undefined
  while (true) {
    const behind = yield* patiently(progress.behind(after, pageSize))
    for (const storeId of behind) {
      yield* turns.room
      look(storeId)
      // What was looked at has to queue up before there is room for the next one.
      yield* Effect.yieldNow
    }
    if (behind.length < pageSize) return
    after = behind.at(-1)
  }
})
