import type { BucketRange, BucketSelection, FeedEntry, StorageError, StoreId } from "@eventlog-server/core"
import { entryBytes } from "@eventlog-server/core/protocol"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import type { Database } from "../database/Database.ts"
import type { BucketIndex, ProbeSql } from "../dialects/Dialect.ts"
import { type EntryColumns, entryColumns, toFeedEntry } from "./entries.ts"
import { findInRanges } from "./probes.ts"
import { withinLimits } from "./withinLimits.ts"

type Order = BucketSelection["order"]

/** How the entries are read. */
const indexes: Record<Order, BucketIndex> = {
  sequence: { column: "sequence", direction: "asc" },
  newest: { column: "entry_id", direction: "desc" }
}

/** Their order within a bucket. */
const orderings: Record<Order, RawBuilder<unknown>> = { sequence: sql`sequence`, newest: sql`entry_id desc` }

const compare: Record<Order, (a: FeedEntry, b: FeedEntry) => number> = {
  sequence: (a, b) => a.remoteSequence - b.remoteSequence,
  newest: (a, b) => Buffer.compare(b.entry.id, a.entry.id)
}

/** The entries of a probe, by themselves within the limits. */
const selectEntries =
  ({ dialect, tables }: Database, storeId: StoreId, { maxBytes, maxEntries, order }: BucketSelection) =>
  (probe: ProbeSql): RawBuilder<EntryColumns> => {
    const scan = dialect.scanBucket(indexes[order], probe)
    const rows = sql`
      select ${entryColumns}, bytes from ${tables.entries}
      where store = (select id from ${tables.stores} where store_id = ${storeId}) and ${scan.condition}
      and transport_only <= ${probe.maxTransportOnly}
      order by ${scan.order} limit ${maxEntries}`
    return withinLimits(rows, orderings[order], { maxBytes })
  }

/** The limits once more, over all events of a range. */
const take = (entries: ReadonlyArray<FeedEntry>, { maxBytes, maxEntries }: BucketSelection) => {
  let bytes = 0
  const end = entries.findIndex(({ entry }, index) => {
    bytes += entryBytes(entry)
    return index === maxEntries || (index > 0 && bytes > maxBytes)
  })
  return end === -1 ? entries : entries.slice(0, end)
}

/** `FeedStore.bucket`. */
export const bucket = (
  database: Database,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  selection: BucketSelection
): Effect.Effect<ReadonlyArray<ReadonlyArray<FeedEntry>>, StorageError> =>
  Effect.map(
    findInRanges(database, "FeedStore.bucket", ranges, selectEntries(database, storeId, selection), toFeedEntry),
    (found) => found.map((entries) => take(entries.toSorted(compare[selection.order]), selection))
  )
