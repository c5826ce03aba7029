import type { FeedRecord } from "@eventlog-server/core/backend"
import { type EntryFields, makeEntry } from "./entries.ts"

/** What a test wants of a record; the rest doesn't matter to it. */
export interface RecordFields extends EntryFields {
  /** @default null, as the server's own */
  readonly author?: string | null
  /** @default false */
  readonly transportOnly?: boolean
}

/** Makes a record, as it is appended to a feed. */
export const makeRecord = ({ author = null, transportOnly = false, ...fields }: RecordFields = {}): FeedRecord => ({
  entry: makeEntry(fields),
  author,
  transportOnly
})

/** Makes records, all of one primary key unless they are told otherwise. */
export const makeRecords = (
  count: number,
  fields: RecordFields | ((index: number) => RecordFields) = {}
): ReadonlyArray<FeedRecord> =>
  Array.from({ length: count }, (_, index) => makeRecord(typeof fields === "function" ? fields(index) : fields))
