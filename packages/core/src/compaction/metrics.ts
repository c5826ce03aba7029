import { Metric } from "effect"

/** Old entries that compactors were given. */
export const compactedEntries = Metric.counter("eventlog_compacted_entries_total", { incremental: true })

/** Entries that were sent in their place. */
export const compactionOutputs = Metric.counter("eventlog_compaction_outputs_total", { incremental: true })
