import { StorageError } from "@eventlog-server/core"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { ownBytes, toBuffer } from "../database/values.ts"
import type { IdentityRow } from "../schema/tables.ts"

const noIdentity = new Error("The identity table has no row: the migrations didn't run, or somebody deleted it")

/** `FeedStore.id`. It is asked for each time: another process may have changed it. */
export const readId = (database: Database): Effect.Effect<EventJournal.RemoteId, StorageError> =>
  attempt(database, "FeedStore.id", () =>
    sql<IdentityRow>`select remote_id from ${database.tables.identity}`.execute(database.connection)
  ).pipe(
    Effect.flatMap(({ rows: [row] }) =>
      row === undefined
        ? Effect.fail(new StorageError({ operation: "FeedStore.id", retryable: false, cause: noIdentity }))
        : Effect.succeed(ownBytes(row.remote_id) as EventJournal.RemoteId)
    )
  )

/** `FeedAdmin.rotateId`. */
export const rotateId = (database: Database): Effect.Effect<EventJournal.RemoteId, StorageError> =>
  Effect.suspend(() => {
    const id = EventJournal.makeRemoteIdUnsafe()
    return Effect.as(
      attempt(database, "FeedAdmin.rotateId", () =>
        sql`update ${database.tables.identity} set remote_id = ${toBuffer(id)}`.execute(database.connection)
      ),
      id
    )
  })
