import { type Rotation, StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { ownBytes, toBuffer } from "../database/values.ts"
import type { IdentityRow } from "../schema/tables.ts"

const noIdentity = new Error("The identity table has no row: the migrations didn't run, or somebody deleted it")

/** `FeedAdmin.id`. It is asked for each time: another process may have changed it. */
export const readId = (database: Database): Effect.Effect<EventJournal.RemoteId, StorageError> =>
  attempt(database, "FeedAdmin.id", () =>
    database.run(sql<IdentityRow>`select remote_id from ${database.tables.identity}`)
  ).pipe(
    Effect.flatMap(({ rows: [row] }) =>
      row === undefined
        ? Effect.fail(new StorageError({ operation: "FeedAdmin.id", retryable: false, cause: noIdentity }))
        : Effect.succeed(ownBytes(row.remote_id) as EventJournal.RemoteId)
    )
  )

/** `FeedAdmin.rotateId`: who expects another id than there is updates nothing, and reads what there is. */
export const rotateId = (database: Database, expected: EventJournal.RemoteId): Effect.Effect<Rotation, StorageError> =>
  Effect.gen(function* () {
    const fresh = EventJournal.makeRemoteIdUnsafe()
    const { numAffectedRows } = yield* attempt(database, "FeedAdmin.rotateId", () =>
      sql`update ${database.tables.identity} set remote_id = ${toBuffer(fresh)}
        where remote_id = ${toBuffer(expected)}`.execute(database.connection)
    )
    return numAffectedRows === 1n ? { id: fresh, isNew: true } : { id: yield* readId(database), isNew: false }
  })
