import { Metric } from "effect"

/** Entries that were committed for the first time. */
export const committedEntries = Metric.counter("eventlog_committed_entries_total", { incremental: true })

/** Calls of `FeedStore.append`. Compared with `eventlog_write_requests_total` it shows how well writes group. */
export const appends = Metric.counter("eventlog_appends_total", { incremental: true })

/** Write requests, from clients and from the server. */
export const writeRequests = Metric.counter("eventlog_write_requests_total", { incremental: true })
