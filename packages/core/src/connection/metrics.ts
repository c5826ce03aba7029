import { Metric } from "effect"

/** Open connections. */
export const connections = Metric.gauge("eventlog_connections")

/** Live subscriptions. */
export const subscriptions = Metric.gauge("eventlog_subscriptions")

/** What is held for peers, both ways, in bytes with what the objects cost. */
export const heldBytes = Metric.gauge("eventlog_held_bytes")

/** Refused requests; the attribute `code` is the code of the `Error` message. */
export const rejectedRequests = Metric.counter("eventlog_rejected_requests_total", { incremental: true })

/** Entries encoded for subscribers: once each, however many subscribers there are. */
export const encodedEntries = Metric.counter("eventlog_encoded_entries_total", { incremental: true })
