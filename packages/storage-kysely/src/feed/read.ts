import {
  FeedLostError,
  type FeedPage,
  type KnownEntry,
  type PageLimits,
  type StorageError,
  StoreErasedError,
  type StoreId
} from "@eventlog-server/core/backend"
import { Effect, Result } from "effect"
import { sql } from "kysely"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import { isHeld, selectKnown } from "../database/known.ts"
import { storeOf } from "../database/stores.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"
import { type EntriesRow, entryColumns, toFeedEntries, travelling } from "./entries.ts"

/** What a page says of its store: beside its entries, or alone. */
interface StoreColumns {
  readonly head: BigInteger
  readonly erased: number
  /** The id of what stands where the known entry was. */
  readonly known_id: Uint8Array | null
}

type PageRow = StoreColumns & EntriesRow

/**
 * One statement, so that head and entries are of one snapshot. What fits is counted over the sequences alone, which follow
 * one another without gaps: payloads travel neither through the counting nor through a sort, and what doesn't fit is never
 * sent. Both ends of the page are said as numbers too, or MySQL reads on to the end of the store.
 */
const selectPage = (
  { dialect, tables }: Database,
  { from, known, limits: { maxBytes, maxEntries }, storeId }: PageRequest
) => {
  const candidate = sql`sequence >= ${from} and sequence < ${from + maxEntries}`
  const inStore = sql`store = ${storeOf(tables, storeId)} and ${candidate}`
  const last = sql`
    select max(sequence) from (
      select sequence, sum(bytes) over (order by sequence) as running from ${tables.entries} where ${inStore}
    ) as t where sequence = ${from} or running <= ${maxBytes}`
  const storeColumns = sql`s.head, s.erased, ${selectKnown(tables, storeId, known)} as known_id`
  if (dialect.pack === undefined) {
    return sql<PageRow>`
      select ${storeColumns}, ${entryColumns} from ${tables.stores} as s
      left join ${tables.entries} as e on e.store = s.id and ${candidate} and sequence <= (${last})
      where s.store_id = ${storeId}`
  }
  const page = sql`select ${entryColumns} from ${tables.entries} where ${inStore} and sequence <= (${last})`
  return sql<PageRow>`
    select ${storeColumns}, page.* from ${tables.stores} as s cross join (${dialect.pack(page)}) as page
    where s.store_id = ${storeId}`
}

/** The page of a store that begins at `from`. */
export interface PageRequest {
  readonly storeId: StoreId
  readonly from: number
  readonly limits: PageLimits
  readonly known: KnownEntry | undefined
}

type Page = Result.Result<FeedPage, StoreErasedError | FeedLostError>

/** The page of rows. */
const toPage = (rows: ReadonlyArray<PageRow>, { known, storeId }: PageRequest): Page => {
  const [first] = rows
  if (first !== undefined && first.erased !== 0) return Result.fail(new StoreErasedError({ storeId }))
  if (!isHeld(known, first?.known_id)) return Result.fail(new FeedLostError({ storeId, sequence: known?.sequence }))
  return Result.succeed({
    entries: toFeedEntries(rows).sort((a, b) => a.remoteSequence - b.remoteSequence),
    head: first === undefined ? 0 : toNumber(first.head)
  })
}

/** Reads a page, unless the store is not as it has to be. */
export type ReadPage = (request: PageRequest) => Effect.Effect<Page, StorageError>

const operation = "FeedStore.read"

/** Pages of several stores that one statement reads at most: all of them are in memory together. */
const maxPages = 16

/** Reads the pages that are asked for at the same time in one statement, where the database can do that. */
export const makeReadPage = (database: Database): ReadPage => {
  const { dialect, run, tables } = database
  const alone: ReadPage = (request) =>
    attempt(database, operation, async () => {
      const { rows } = await run(selectPage(database, request))
      return toPage(rows, request)
    })
  const { acrossStores } = dialect
  if (acrossStores === undefined) return alone
  return combine<PageRequest, Page, StorageError>({
    alone,
    together: (requests) =>
      attempt(database, operation, async () => {
        const { rows } = await run(
          acrossStores.selectPages<PageRow>(entryColumns, tables, requests, travelling(dialect))
        )
        const pages = Map.groupBy(rows, ({ request }) => request)
        // A store that nothing was written to has no row.
        return new Map(requests.map((request, place) => [place, toPage(pages.get(place) ?? [], request)]))
      }),
    weigh: () => 1,
    maxWeight: maxPages
  })
}

/** `FeedStore.read`. */
export const read = (
  readPage: ReadPage,
  request: PageRequest
): Effect.Effect<FeedPage, StorageError | StoreErasedError | FeedLostError> =>
  Effect.flatMap(readPage(request), Effect.fromResult)
