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
import { withinLimits } from "./withinLimits.ts"

/** The store's head beside every entry of the page, or alone. */
type PageRow = { readonly head: BigInteger; readonly erased: number } & (EntryColumns | { readonly sequence: null })

/** One statement, so that head and entries are of one snapshot. */
const selectPage = ({ tables }: Database, storeId: StoreId, from: number, limits: PageLimits) => {
  const order = sql`sequence`
  const rows = sql`
    select ${entryColumns}, bytes from ${tables.entries}
    where store = (select id from ${tables.stores} where store_id = ${storeId}) and sequence >= ${from}
    order by ${order} limit ${limits.maxEntries}`
  return sql<PageRow>`
    select s.head, s.erased, page.* from ${tables.stores} as s
    left join (${withinLimits(rows, order, limits)}) as page on 1 = 1
    where s.store_id = ${storeId} order by page.sequence`
}

const isEntry = (row: PageRow): row is PageRow & EntryColumns => row.sequence !== null

/** The page of rows; `undefined` where the store was erased. */
const toPage = (rows: ReadonlyArray<PageRow>): FeedPage | undefined => {
  const [first] = rows
  if (first === undefined) return { entries: [], head: 0 }
  return first.erased === 0 ? { entries: rows.filter(isEntry).map(toFeedEntry), head: toNumber(first.head) } : undefined
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
