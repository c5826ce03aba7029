import { Effect } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { withSpan } from "../tracing/withSpan.ts"
import { conflictsOf } from "./conflicts.ts"
import type { Environment } from "./environment.ts"
import type { Patiently } from "./outage.ts"
import type { PassedIds } from "./PassedIds.ts"
import { lastOf, type Page } from "./page.ts"
import { processInSteps } from "./steps.ts"
import { processInTransactions } from "./transactions.ts"

/** Processes a page: in transactions with the cursor, where the backend has them, or else in steps. */
export const processPage = Effect.fnUntraced(
  function* (
    environment: Environment,
    storeId: StoreId,
    lease: Lease,
    ids: PassedIds,
    entries: ReadonlyArray<FeedEntry>,
    patiently: Patiently
  ): Effect.fn.Return<void, LeaseLostError> {
    const { feeds, handlers, options } = environment
    const { maxConflicts } = options
    const conflicts = yield* patiently(
      Effect.flatMap(ids.greatest, (greatestBelow) =>
        conflictsOf(feeds, storeId, entries, { maxConflicts, greatestBelow, isHandled: handlers.has })
      )
    )
    ids.pass(entries)
    const page: Page = { storeId, entries, conflicts }
    yield* lease.transaction === undefined
      ? processInSteps(environment, page, lease, patiently)
      : processInTransactions(environment, page, lease.transaction, patiently)
  },
  (effect, _environment, storeId, _lease, _ids, entries) =>
    effect.pipe(
      withSpan("eventlog.process", () => ({
        "eventlog.store": storeId,
        "eventlog.first": entries[0]?.remoteSequence,
        "eventlog.last": lastOf(entries)
      }))
    )
)
