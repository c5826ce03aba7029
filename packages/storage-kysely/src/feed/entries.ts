import type { FeedEntry } from "@eventlog-server/core/backend"
import { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import { ownBytes, toNumber } from "../database/values.ts"
import type { EntryRow } from "../schema/tables.ts"

/** What a feed entry is made of. */
export type EntryColumns = Pick<
  EntryRow,
  "sequence" | "entry_id" | "event" | "primary_key" | "author" | "transport_only" | "payload"
>

/** The columns of `EntryColumns`, for a select. */
export const entryColumns = sql<EntryColumns>`sequence, entry_id, event, primary_key, author, transport_only, payload`

/** The entry of a row, with bytes of its own. */
export const toFeedEntry = (row: EntryColumns): FeedEntry => ({
  remoteSequence: toNumber(row.sequence),
  author: row.author,
  transportOnly: row.transport_only !== 0,
  entry: new EventJournal.Entry(
    {
      id: ownBytes(row.entry_id) as EventJournal.EntryId,
      event: row.event,
      primaryKey: row.primary_key,
      payload: ownBytes(row.payload)
    },
    { disableChecks: true }
  )
})
