import type { AccessChange, AccessListeners, StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"

/** Keys that a look finds at most; where more changed, any may have. */
const maxKeys = 256

interface ChangeRow {
  /** The number of the last change. */
  readonly access_changes: BigInteger
  /** A key that changed since the last look; `null` where none did. */
  readonly public_key: string | null
}

const changesOf = (rows: ReadonlyArray<ChangeRow>): ReadonlyArray<AccessChange> =>
  rows.length > maxKeys
    ? ["any"]
    : rows.flatMap(({ public_key: publicKey }) => (publicKey === null ? [] : [{ publicKey }]))

/**
 * Tells of what changed behind a number, and returns the number of the last change. A number that went back is that of
 * another database: a backup, or a replica that took over.
 *
 * @param seen `undefined` where changes may have gone unseen, so any key's access may be another one
 */
const look = Effect.fnUntraced(function* (
  database: Database,
  listeners: AccessListeners,
  seen: number | undefined
): Effect.fn.Return<number | undefined, StorageError> {
  const { connection, tables } = database
  const { rows } = yield* attempt(database, "EventLogServerStoreRegistry.changes", () =>
    sql<ChangeRow>`select i.access_changes, k.public_key from ${tables.identity} as i
      left join ${tables.keys} as k on k.access_change > ${seen ?? Number.MAX_SAFE_INTEGER}
      limit ${maxKeys + 1}`.execute(connection)
  )
  const [first] = rows
  if (first === undefined) return undefined
  const last = toNumber(first.access_changes)
  const changes: ReadonlyArray<AccessChange> = seen === undefined || last < seen ? ["any"] : changesOf(rows)
  for (const change of changes) listeners.tell(change)
  return last
})

/**
 * Looks for keys whose access changed, for ever, and only while somebody listens. What it can't see during an outage it
 * makes up for afterwards.
 *
 * @param pause how long it waits between two looks, in milliseconds
 */
export const pollAccess = Effect.fnUntraced(function* (
  database: Database,
  listeners: AccessListeners,
  pause: () => number
): Effect.fn.Return<never> {
  let seen: number | undefined
  while (true) {
    yield* listeners.heard
    seen = yield* look(database, listeners, seen).pipe(
      Effect.catch((error) => Effect.as(Effect.logDebug("Can't look for changes of keys", error), undefined))
    )
    yield* Effect.sleep(pause())
  }
})
