import type { FeedRecord, PageLimits } from "@eventlog-server/core"
import { EventJournal } from "effect/eventlog"

/** Records of one bucket. */
export const makeRecords = (count: number, payloadBytes = 4): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, () => ({
    entry: new EventJournal.Entry(
      { id: EventJournal.makeEntryIdUnsafe(), event: "Set", primaryKey: "a", payload: new Uint8Array(payloadBytes) },
      { disableChecks: true }
    ),
    author: null,
    transportOnly: false
  }))

/** More than a test writes. */
export const wholePage: PageLimits = { maxEntries: 1_000, maxBytes: 1_000_000 }
