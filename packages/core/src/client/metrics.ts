import { Metric } from "effect"

/** Connections on which the server said hello. */
export const connections = Metric.counter("eventlog_client_connections_total", { incremental: true })

/** Entries that the server acked. */
export const ackedEntries = Metric.counter("eventlog_client_acked_entries_total", { incremental: true })

/** Entries that were handed to the journal. */
export const receivedEntries = Metric.counter("eventlog_client_received_entries_total", { incremental: true })

/** Entries that were reported to `onRejected`. */
export const rejectedEntries = Metric.counter("eventlog_client_rejected_entries_total", { incremental: true })
