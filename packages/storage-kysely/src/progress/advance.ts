import type { StorageError } from "@eventlog-server/core"
import type { Effect } from "effect"
import { sql } from "kysely"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import type { CursorMove } from "../dialects/Dialect.ts"

/** Moves a cursor up, and answers whether the lease is still held: only then it is moved. */
export type Advance = (move: CursorMove) => Effect.Effect<boolean, StorageError>

const operation = "Lease.advance"

/** Cursors that one statement moves at most. */
const maxMoves = 100

/** Moves the cursors that are moved at the same time in one statement, where the database can do that. */
export const makeAdvance = (database: Database): Advance => {
  const { connection, dialect, tables } = database
  const alone: Advance = ({ sequence, storeId, token }) =>
    attempt(database, operation, async () => {
      const { numAffectedRows } = await sql`
        update ${tables.stores} set processed = case when processed < ${sequence} then ${sequence} else processed end
        where store_id = ${storeId} and lease_holder = ${token} and lease_until > ${dialect.now}`.execute(connection)
      return numAffectedRows === 1n
    })
  const { advanceAll } = dialect
  if (advanceAll === undefined) return alone
  return combine<CursorMove, boolean, StorageError>({
    alone,
    together: (moves) =>
      attempt(database, operation, async () => {
        const { rows } = await advanceAll(tables, moves).execute(connection)
        return new Map(rows.map(({ move }) => [move, true]))
      }),
    weigh: () => 1,
    maxWeight: maxMoves
  })
}
