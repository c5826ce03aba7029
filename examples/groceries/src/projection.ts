import type { AsyncHandlers } from "@eventlog-server/core"
import { Effect } from "effect"
import { EventRow } from "effect/eventlog"
import type { Transaction } from "kysely"
import type { AppDatabase } from "./database.ts"
import { type Groceries, Grocery } from "./groceries.ts"

/** A row as the table has it. */
const columnsOf = ({ bought, ...rest }: Partial<Grocery>) => ({
  ...rest,
  ...(bought !== undefined && { bought: bought ? 1 : 0 })
})

/** What a row's operations do to the table of a household. `EventRow.handler` calls one of them, or none. */
const tableOf = (db: Transaction<AppDatabase>, household: string) => ({
  set: (row: Grocery) =>
    Effect.promise(() => {
      const columns = { ...row, bought: row.bought ? 1 : 0 }
      return db
        .insertInto("groceries")
        .values({ household, ...columns })
        .onConflict((conflict) => conflict.columns(["household", "id"]).doUpdateSet(columns))
        .execute()
    }),
  // A patch of a row that isn't there does nothing: to insert it would bring back what was removed.
  patch: (id: string, fields: Partial<Grocery>) =>
    Effect.promise(() =>
      db
        .updateTable("groceries")
        .set(columnsOf(fields))
        .where("household", "=", household)
        .where("id", "=", id)
        .execute()
    ),
  remove: (id: string) =>
    Effect.promise(() => db.deleteFrom("groceries").where("household", "=", household).where("id", "=", id).execute())
})

/** Keeps the table in the transaction that the cursor moves in: each entry changes it once. */
export const projection: AsyncHandlers<typeof Groceries, Transaction<AppDatabase>> = {
  grocery: (input) => EventRow.handler(Grocery, tableOf(input.transaction, input.storeId))(input)
}
