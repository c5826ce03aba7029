import {
  type FeedPage,
  type PageLimits,
  type StorageError,
  StoreErasedError,
  type StoreId
} from "@eventlog-server/core"
import { Effect, Option } from "effect"
import { sql } from "kysely"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"
import { type EntryColumns, entryColumns, toFeedEntry } from "./entries.ts"

/** The store's head beside every entry of the page, or alone. */
type PageRow = { readonly head: BigInteger; readonly erased: number } & (EntryColumns | { readonly sequence: null })

/**
 * One statement, so that head and entries are of one snapshot. What fits is counted over the sequences alone, which follow
 * one another without gaps: payloads travel neither through the counting nor through a sort, and what doesn't fit is never
 * sent. Both ends of the page are said as numbers too, or MySQL reads on to the end of the store.
 */
const selectPage = ({ tables }: Database, storeId: StoreId, from: number, { maxBytes, maxEntries }: PageLimits) => {
  const candidate = sql`sequence >= ${from} and sequence < ${from + maxEntries}`
  const last = sql`
    select max(sequence) from (
      select sequence, sum(bytes) over (order by sequence) as running from ${tables.entries}
      where store = (select id from ${tables.stores} where store_id = ${storeId}) and ${candidate}
    ) as t where sequence = ${from} or running <= ${maxBytes}`
  return sql<PageRow>`
    select s.head, s.erased, ${entryColumns} from ${tables.stores} as s
    left join ${tables.entries} as e on e.store = s.id and ${candidate} and sequence <= (${last})
    where s.store_id = ${storeId}`
}

const isEntry = (row: PageRow): row is PageRow & EntryColumns => row.sequence !== null

/** The page of rows; none where the store was erased. */
const toPage = (rows: ReadonlyArray<PageRow>): Option.Option<FeedPage> => {
  const [first] = rows
  if (first === undefined) return Option.some({ entries: [], head: 0 })
  if (first.erased !== 0) return Option.none()
  const entries = rows.filter(isEntry).map(toFeedEntry)
  return Option.some({
    entries: entries.sort((a, b) => a.remoteSequence - b.remoteSequence),
    head: toNumber(first.head)
  })
}

/** The page of a store that begins at `from`. */
export interface PageRequest {
  readonly storeId: StoreId
  readonly from: number
  readonly limits: PageLimits
}

/** Reads a page; none where the store was erased. */
export type ReadPage = (request: PageRequest) => Effect.Effect<Option.Option<FeedPage>, StorageError>

const operation = "FeedStore.read"

/** Pages of several stores that one statement reads at most: all of them are in memory together. */
const maxPages = 16

/** Reads the pages that are asked for at the same time in one statement, where the database can do that. */
export const makeReadPage = (database: Database): ReadPage => {
  const { connection, dialect, tables } = database
  const alone: ReadPage = ({ from, limits, storeId }) =>
    attempt(database, operation, async () => {
      const { rows } = await selectPage(database, storeId, from, limits).execute(connection)
      return toPage(rows)
    })
  const { selectPages } = dialect
  if (selectPages === undefined) return alone
  return combine<PageRequest, Option.Option<FeedPage>, StorageError>({
    alone,
    together: (requests) =>
      attempt(database, operation, async () => {
        const { rows } = await selectPages<PageRow>(entryColumns, tables, requests).execute(connection)
        const pages = Map.groupBy(rows, ({ request }) => request)
        return new Map(Array.from(pages, ([request, rows]) => [request, toPage(rows)]))
      }),
    weigh: () => 1,
    maxWeight: maxPages
  })
}

/** `FeedStore.read`. */
export const read = (
  readPage: ReadPage,
  request: PageRequest
): Effect.Effect<FeedPage, StorageError | StoreErasedError> =>
  Effect.flatMap(
    readPage(request),
    Option.match({
      onNone: () => Effect.fail(new StoreErasedError({ storeId: request.storeId })),
      onSome: Effect.succeed
    })
  )
