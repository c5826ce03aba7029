import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf, toBuffer, toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"

/** An entry id as a key of a map. */
export const idKey = (id: Uint8Array): string => toBuffer(id).toString("latin1")

/** Ids that a statement looks for at most. */
const maxIds = 1_000

/** The sequences of entries that the store has, by the keys of their ids. */
export const findSequences = Effect.fnUntraced(function* (
  database: Database,
  operation: string,
  storeId: StoreId,
  ids: ReadonlyArray<Buffer>
): Effect.fn.Return<ReadonlyMap<string, number>, StorageError> {
  const { connection, tables } = database
  const sequences = new Map<string, number>()
  for (const chunk of chunksOf(ids, maxIds)) {
    yield* attempt(database, operation, async () => {
      const { rows } = await sql<{ readonly entry_id: Uint8Array; readonly sequence: BigInteger }>`
        select entry_id, sequence from ${tables.entries}
        where store = (select id from ${tables.stores} where store_id = ${storeId})
        and entry_id in (${sql.join(chunk)})`.execute(connection)
      for (const { entry_id, sequence } of rows) sequences.set(idKey(entry_id), toNumber(sequence))
    })
  }
  return sequences
})
