import { Metric } from "effect"

/** Entries that processing passed, whatever became of them. */
export const processedEntries = Metric.counter("eventlog_processed_entries_total", { incremental: true })

/** Entries whose handler failed; the attribute `reason` is that of the `HandlerFailure`. */
export const handlerFailures = Metric.counter("eventlog_handler_failures_total", { incremental: true })

/** Handlers that failed and were tried again. */
export const handlerRetries = Metric.counter("eventlog_handler_retries_total", { incremental: true })

/** How long handlers ran, failed ones included, with the attribute `event`. */
export const handlerDuration = Metric.timer("eventlog_handler_duration")

/** Stores that are being processed, wait for their turn, or whose lease is kept while they are idle. */
export const processingStores = Metric.gauge("eventlog_processing_stores")

/** Calls of the backend that processing repeated, since the backend was away. */
export const processingRetries = Metric.counter("eventlog_processing_retries_total", { incremental: true })

/** Stores that processing stopped, since their feed went backwards, or since they have all the failures that are kept. */
export const stoppedStores = Metric.counter("eventlog_processing_stopped_stores_total", { incremental: true })
