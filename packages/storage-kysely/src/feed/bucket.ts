import type { BucketRange, BucketSelection, FeedEntry, StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { storeOf } from "../database/stores.ts"
import { ownBytes, toNumber } from "../database/values.ts"
import type { BucketIndex, PlaceRow, Probe } from "../dialects/Probe.ts"
import { fetchEntries } from "./fetchEntries.ts"
import { findInRanges } from "./probes.ts"

const operation = "FeedStore.bucket"

type Order = BucketSelection["order"]

/** Where an entry is, and what it weighs against the limits. */
interface Place {
  readonly sequence: number
  readonly id: Uint8Array
  readonly bytes: number
}

const toPlace = ({ bytes, entry_id, sequence }: PlaceRow): Place => ({
  sequence: toNumber(sequence),
  id: ownBytes(entry_id),
  bytes
})

/** How the places are read. */
const indexes: Record<Order, BucketIndex> = {
  sequence: { column: "sequence", direction: "asc" },
  newest: { column: "entry_id", direction: "desc" }
}

const compare: Record<Order, (a: Place, b: Place) => number> = {
  sequence: (a, b) => a.sequence - b.sequence,
  newest: (a, b) => Buffer.compare(b.id, a.id)
}

/** Finds the first places of each probe. */
const findPlaces =
  ({ dialect, tables }: Database, storeId: StoreId, { maxEntries, order }: BucketSelection) =>
  (probes: ReadonlyArray<Probe>): RawBuilder<PlaceRow> => {
    const store = storeOf(tables, storeId)
    return dialect.buckets.findPlaces(tables.entries, store, probes, (probe, columns) => {
      const scan = dialect.buckets.scan(indexes[order], probe)
      return sql`
        select ${columns} from ${tables.entries} where store = ${store} and ${scan.condition}
        and transport_only <= ${probe.maxTransportOnly}
        order by ${scan.order} limit ${maxEntries}`
    })
  }

/** The first of the places, of all events of a range, that fit the limits together. */
const take = (places: ReadonlyArray<Place>, { maxBytes, maxEntries, order }: BucketSelection): ReadonlyArray<Place> => {
  const sorted = places.toSorted(compare[order])
  let total = 0
  const end = sorted.findIndex(({ bytes }, index) => {
    total += bytes
    return index === maxEntries || (index > 0 && total > maxBytes)
  })
  return end === -1 ? sorted : sorted.slice(0, end)
}

/** The places of as many ranges, from the first on, as fit together. */
const takeRanges = (
  found: ReadonlyArray<ReadonlyArray<Place>>,
  selection: BucketSelection
): ReadonlyArray<ReadonlyArray<Place>> => {
  const { maxTotalBytes = Number.POSITIVE_INFINITY } = selection
  const ranges = found.map((places) => take(places, selection))
  let total = 0
  const end = ranges.findIndex((places, index) => {
    total += places.reduce((sum, { bytes }) => sum + bytes, 0)
    return index > 0 && total > maxTotalBytes
  })
  return end === -1 ? ranges : ranges.slice(0, end)
}

/**
 * `FeedStore.bucket`. The index of buckets says where the entries are and what they weigh; only those that fit are fetched,
 * by their sequences. A statement that did both would carry payloads through its sorting and counting, which MySQL does
 * in tables on its disk.
 */
export const bucket = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  selection: BucketSelection
): Effect.fn.Return<ReadonlyArray<ReadonlyArray<FeedEntry>>, StorageError> {
  const found = yield* findInRanges(database, operation, ranges, findPlaces(database, storeId, selection), toPlace)
  const taken = takeRanges(found, selection)
  const places = new Map(taken.flatMap((places) => places.map((place) => [place.sequence, place])))
  const entries = yield* fetchEntries(database, operation, storeOf(database.tables, storeId), places.values())
  // An erasure may have come in between.
  return taken.map((places) => places.flatMap(({ sequence }) => entries.get(sequence) ?? []))
})
