import type {
  PageLimits,
  StorageError,
  StoreId,
  Survivor,
  Survivors,
  SurvivorsRequest
} from "@eventlog-server/core/backend"
import { Effect, Stream } from "effect"
import { sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { toBuffer } from "../database/values.ts"
import { fetchEntries } from "./fetchEntries.ts"
import { findBeginning } from "./findBeginning.ts"
import { findSurvivors, type Place } from "./findSurvivors.ts"

const operation = "FeedStore.survivors"

/** The places in pages that keep their limits. */
function* pagesOf(places: ReadonlyArray<Place>, { maxBytes, maxEntries }: PageLimits): Generator<ReadonlyArray<Place>> {
  let page: Array<Place> = []
  let total = 0
  for (const place of places) {
    if (page.length >= maxEntries || (page.length > 0 && total + place.bytes > maxBytes)) {
      yield page
      page = []
      total = 0
    }
    page.push(place)
    total += place.bytes
  }
  if (page.length > 0) yield page
}

/** A page of survivors. An erasure may have come in between: those that are gone are left out. */
const fetchPage = (
  database: Database,
  store: number,
  page: ReadonlyArray<Place>
): Effect.Effect<ReadonlyArray<Survivor>, StorageError> =>
  Effect.map(fetchEntries(database, operation, sql`${store}`, page), (entries) =>
    page.flatMap(({ key, sequence }) => {
      const entry = entries.get(sequence)
      return entry === undefined ? [] : [{ entry, last: key.last }]
    })
  )

const noBeginning: Survivors = { toSequence: 0, pages: Stream.empty }

/**
 * `FeedStore.survivors`. The indexes of ids and of buckets say where the beginning ends, which buckets there are and where each
 * ends: a step or two for each, however long the history. What is to be sent is fetched page by page.
 */
export const survivors = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  { groups, limits, toSequence, ...request }: SurvivorsRequest
): Effect.fn.Return<Survivors, StorageError> {
  const toId = toBuffer(request.toId)
  const beginning = yield* findBeginning(database, storeId, { toId, toSequence })
  if (beginning === undefined) return noBeginning
  const places = yield* findSurvivors({ database, ...beginning, toId, groups })
  if (places === undefined) return noBeginning
  const pages = Stream.fromIterable(pagesOf(places, limits)).pipe(
    Stream.mapEffect((page) => fetchPage(database, beginning.store, page)),
    Stream.filter((page) => page.length > 0)
  )
  return { toSequence: beginning.toSequence, pages }
})
