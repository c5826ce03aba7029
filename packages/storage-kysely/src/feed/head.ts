import { type FeedHead, type StorageError, StoreErasedError, type StoreId } from "@eventlog-server/core/backend"
import { Effect, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import { type RawBuilder, sql } from "kysely"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import { ownBytes, toNumber } from "../database/values.ts"
import type { BigInteger, Tables } from "../schema/tables.ts"

interface HeadRow {
  readonly store_id: string
  readonly head: BigInteger
  readonly erased: number
  readonly greatest_id: Uint8Array | null
}

/** Selects the heads of stores. The greatest id is the last step of the unique index. */
const selectHeads = ({ entries, stores }: Tables, ofStores: RawBuilder<unknown>) => sql<HeadRow>`
  select store_id, head, erased, (
    select entry_id from ${entries} as e where e.store = s.id order by entry_id desc limit 1
  ) as greatest_id
  from ${stores} as s where store_id ${ofStores}`

type Head = Result.Result<FeedHead, StoreErasedError>

const toHead = (storeId: StoreId, row: HeadRow | undefined): Head => {
  if (row === undefined) return Result.succeed({ sequence: 0, greatestId: undefined })
  if (row.erased !== 0) return Result.fail(new StoreErasedError({ storeId }))
  const { greatest_id: greatestId, head } = row
  return Result.succeed({
    sequence: toNumber(head),
    greatestId: greatestId === null ? undefined : (ownBytes(greatestId) as EventJournal.EntryId)
  })
}

const operation = "FeedStore.head"

/** Heads that one statement looks for at most. */
const maxHeads = 100

/** `FeedStore.head`, of all stores whose heads are asked for at the same time in one statement. */
export const makeHead = (
  database: Database
): ((storeId: StoreId) => Effect.Effect<FeedHead, StorageError | StoreErasedError>) => {
  const { connection, run, tables } = database
  const find = combine<StoreId, Head, StorageError>({
    alone: (storeId) =>
      attempt(database, operation, async () => {
        const { rows } = await run(selectHeads(tables, sql`= ${storeId}`))
        return toHead(storeId, rows[0])
      }),
    together: (storeIds) =>
      attempt(database, operation, async () => {
        const { rows } = await selectHeads(tables, sql`in (${sql.join(storeIds)})`).execute(connection)
        const found = new Map(rows.map((row) => [row.store_id, row]))
        return new Map(storeIds.map((storeId, index) => [index, toHead(storeId, found.get(storeId))]))
      }),
    weigh: () => 1,
    maxWeight: maxHeads
  })
  return (storeId) => Effect.flatMap(find(storeId), Effect.fromResult)
}
