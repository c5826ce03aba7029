import type { EventLogServerStoreRegistryError, StoreId } from "@eventlog-server/core"
import { Effect, Exit, Request, RequestResolver } from "effect"
import { sql } from "kysely"
import type { Database } from "../database/Database.ts"
import type { KeyRow } from "../schema/tables.ts"
import { notMapped, run } from "./calls.ts"

class ResolveKey extends Request.Class<{ readonly publicKey: string }, StoreId, EventLogServerStoreRegistryError> {}

/** Keys that a statement asks for at most: far below the parameters that a database takes. */
const maxKeys = 1_000

/**
 * `EventLogServerStoreRegistry.resolve`. Every write and every subscription asks it, so what is asked for at the same time
 * is one statement. Nothing is remembered: a key that another process removed is refused from then on.
 */
export const makeResolve = (database: Database) => {
  const find = (publicKeys: ReadonlyArray<string>) =>
    run(database, "resolve", () =>
      sql<Pick<KeyRow, "public_key" | "store_id">>`
        select public_key, store_id from ${database.tables.keys}
        where public_key in (${sql.join(publicKeys)}) and removed = 0`.execute(database.connection)
    )
  const resolver = RequestResolver.make<ResolveKey>((entries) =>
    Effect.matchCause(find(Array.from(new Set(entries.map(({ request }) => request.publicKey)))), {
      onFailure: (cause) => {
        for (const entry of entries) entry.completeUnsafe(Exit.failCause(cause))
      },
      onSuccess: ({ rows }) => {
        const storeIds = new Map(rows.map((row) => [row.public_key, row.store_id as StoreId]))
        for (const entry of entries) {
          const { publicKey } = entry.request
          const storeId = storeIds.get(publicKey)
          entry.completeUnsafe(storeId === undefined ? Exit.fail(notMapped(publicKey)) : Exit.succeed(storeId))
        }
      }
    })
  ).pipe(RequestResolver.batchN(maxKeys))
  return (publicKey: string): Effect.Effect<StoreId, EventLogServerStoreRegistryError> =>
    Effect.request(new ResolveKey({ publicKey }), resolver)
}
