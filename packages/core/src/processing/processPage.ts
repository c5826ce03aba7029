import { Effect } from "effect"
import type { LeaseLostError } from "../backend/StoreProgress.ts"
import { withSpan } from "../tracing/withSpan.ts"
import { conflictsOf } from "./conflicts.ts"
import type { Holding, Page } from "./page.ts"
import { processInSteps } from "./steps.ts"
import { processInTransactions } from "./transactions.ts"

/**
 * Processes a page, part by part: in transactions with the cursor, where the backend has them, or else in steps. How far it
 * came is in the page afterwards, which may have been let go of before its end.
 */
export const processPage = Effect.fnUntraced(
  function* (holding: Holding, page: Page): Effect.fn.Return<void, LeaseLostError> {
    const { environment, ids, lease, patiently, storeId, turn } = holding
    const { feeds, handlers, options } = environment
    const greatestBelow = yield* patiently(ids.greatest)
    ids.pass(page.entries)
    const slow = Effect.suspend(() =>
      Effect.map(turn.pause(page.bytes()), (isKept) => {
        if (!isKept) page.letGo()
      })
    )
    let maxRanges = Number.POSITIVE_INFINITY
    while (page.hasMore) {
      page.endPart()
      // A large part is work like a page: others have their turns in between, and so have timers and sockets.
      if (page.start > 0) yield* turn.end.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(turn.begin))
      maxRanges = yield* patiently(
        Effect.map(
          conflictsOf(feeds, storeId, page.entries, {
            from: page.start,
            maxRanges,
            maxBytes: options.maxConflictBytes,
            maxConflicts: options.maxConflicts,
            greatestBelow,
            isHandled: handlers.has
          }),
          ({ conflicts, ranges }) => {
            page.beginPart(conflicts)
            // Few came of many that were asked for: each of those cost a look.
            return 2 * ranges
          }
        )
      )
      yield* lease.transaction === undefined
        ? processInSteps(holding, page, slow)
        : processInTransactions(holding, page, lease.transaction, slow)
    }
    page.letGo()
  },
  (effect, { storeId }, page) => {
    const first = page.reached + 1
    const last = page.reached + page.entries.length
    return effect.pipe(
      withSpan("eventlog.process", () => ({
        "eventlog.store": storeId,
        "eventlog.first": first,
        "eventlog.last": last
      }))
    )
  }
)
