import { Effect } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import type { FailuresQuery, StoreProgress } from "../backend/StoreProgress.ts"
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

/** Who is told of stores that have something to do. */
export type Look = (storeId: StoreId) => void

/** Has every store looked at whose cursor is behind, a few at a time. */
const sweepBehind = Effect.fnUntraced(function* ({ patiently, progress, turns }: SweepOptions, look: Look) {
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

/** Has every store looked at that has failures to be tried again, a few at a time. */
const sweepDue = Effect.fnUntraced(function* ({ patiently, progress, turns }: SweepOptions, retry: Look) {
  let after: FailuresQuery["after"]
  while (true) {
    const due = yield* patiently(progress.failures.list({ isDue: true, after, limit: pageSize }))
    for (const storeId of new Set(due.map((failure) => failure.storeId))) {
      yield* turns.room
      retry(storeId)
      yield* Effect.yieldNow
    }
    const last = due.at(-1)
    if (last === undefined || due.length < pageSize) return
    // The rest of a store is its loop's business.
    after = { storeId: last.storeId, sequence: Number.MAX_SAFE_INTEGER }
  }
})

/** Has every store looked at that has something to do, whichever node it was left by. */
export const sweep = (options: SweepOptions, look: Look, retry: Look): Effect.Effect<void> =>
  Effect.andThen(sweepBehind(options, look), sweepDue(options, retry))
