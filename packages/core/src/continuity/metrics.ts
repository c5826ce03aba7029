import { Metric } from "effect"

/** Losses of committed entries that this node noticed. */
export const lostFeeds = Metric.counter("eventlog_lost_feeds_total", { incremental: true })
