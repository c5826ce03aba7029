import { type EventLogServerStoreRegistry, EventLogServerStoreRegistryError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { attempt, type Database } from "../database/Database.ts"

/** The port that this folder implements. */
export type Registry = EventLogServerStoreRegistry["Service"]

/** What is answered about a key that belongs to no store. */
export const notMapped = (publicKey: string) => new EventLogServerStoreRegistryError({ reason: "NotMapped", publicKey })

/** Calls the database for a member of the port; a failure is the port's own. */
export const run = <A>(
  database: Database,
  member: keyof Registry,
  call: () => Promise<A>
): Effect.Effect<A, EventLogServerStoreRegistryError> =>
  Effect.mapError(
    attempt(database, `EventLogServerStoreRegistry.${member}`, call),
    (cause) => new EventLogServerStoreRegistryError({ reason: "Unavailable", cause })
  )
