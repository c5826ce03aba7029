import { Context, type Effect } from "effect"
import type { EventJournal } from "effect/eventlog"

/** What a journal of this package tells beyond effect's `EventJournal`. The client's status shows it. */
export class DeviceJournal extends Context.Service<
  DeviceJournal,
  {
    /**
     * The ids of local entries that the server isn't known to have, offline too. After a crash that includes some that it
     * has acknowledged.
     */
    readonly unsent: Effect.Effect<ReadonlyArray<string>, EventJournal.EventJournalError>
    /** Whether the browser promised to keep what is stored, until the user removes it; `undefined` where it can't say. */
    readonly persisted: Effect.Effect<boolean | undefined>
  }
>()("@eventlog-server/core/client/DeviceJournal") {}
