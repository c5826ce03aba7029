import {
  type FeedPage,
  type PageLimits,
  type StorageError,
  StoreErasedError,
  type StoreId
} from "@eventlog-server/core"
import { Effect } from "effect"
import { sql } from "kysely"
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

/** The page of rows; `undefined` where the store was erased. */
const toPage = (rows: ReadonlyArray<PageRow>): FeedPage | undefined => {
  const [first] = rows
  if (first === undefined) return { entries: [], head: 0 }
  if (first.erased !== 0) return undefined
  const entries = rows.filter(isEntry).map(toFeedEntry)
  return { entries: entries.sort((a, b) => a.remoteSequence - b.remoteSequence), head: toNumber(first.head) }
}

/** `FeedStore.read`. */
export const read = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  from: number,
  limits: PageLimits
): Effect.fn.Return<FeedPage, StorageError | StoreErasedError> {
  const page = yield* attempt(database, "FeedStore.read", async () => {
    const { rows } = await selectPage(database, storeId, from, limits).execute(database.connection)
    return toPage(rows)
  })
  return page ?? (yield* new StoreErasedError({ storeId }))
})
