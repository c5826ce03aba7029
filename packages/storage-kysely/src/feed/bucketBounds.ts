import type { BucketBounds, BucketRange, StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { toNumber } from "../database/values.ts"
import type { BucketIndex, ProbeSql } from "../dialects/Probe.ts"
import type { BigInteger } from "../schema/tables.ts"
import { findInRanges, type ProbeRow } from "./probes.ts"

/** The bounds of a probe; `null` where it is empty. */
interface BoundsRow extends ProbeRow {
  readonly first_sequence: BigInteger | null
  readonly last_sequence: BigInteger | null
}

/** Each end is the first step into the index from its side. */
const selectBounds =
  ({ dialect, tables }: Database, storeId: StoreId) =>
  (probe: ProbeSql): RawBuilder<BoundsRow> => {
    const end = (direction: BucketIndex["direction"]) => {
      const scan = dialect.buckets.scan({ column: "sequence", direction }, probe)
      return sql`
      select sequence from ${tables.entries}
      where store = (select id from ${tables.stores} where store_id = ${storeId}) and ${scan.condition}
      and transport_only <= ${probe.maxTransportOnly}
      order by ${scan.order} limit 1`
    }
    return sql`select ${probe.index} as probe, (${end("asc")}) as first_sequence, (${end("desc")}) as last_sequence`
  }

const toBounds = ({ first_sequence, last_sequence }: BoundsRow): BucketBounds | undefined =>
  first_sequence === null || last_sequence === null
    ? undefined
    : { first: toNumber(first_sequence), last: toNumber(last_sequence) }

/** The bounds of all events of a range. */
const join = (bounds: ReadonlyArray<BucketBounds | undefined>): BucketBounds | undefined => {
  const found = bounds.filter((bounds) => bounds !== undefined)
  if (found.length === 0) return undefined
  return {
    first: found.reduce((least, { first }) => Math.min(least, first), Number.POSITIVE_INFINITY),
    last: found.reduce((greatest, { last }) => Math.max(greatest, last), 0)
  }
}

/** `FeedStore.bucketBounds`. */
export const bucketBounds = (
  database: Database,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>
): Effect.Effect<ReadonlyArray<BucketBounds | undefined>, StorageError> =>
  Effect.map(
    findInRanges(
      database,
      "FeedStore.bucketBounds",
      ranges,
      (probes) => database.dialect.buckets.forEachProbe(probes, selectBounds(database, storeId)),
      toBounds
    ),
    (found) => found.map(join)
  )
