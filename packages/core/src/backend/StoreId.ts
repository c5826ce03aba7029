import { EventLogMessage } from "effect/eventlog"

/**
 * Names a store: one shared, sequenced feed. It is effect's own brand, so that handlers written with
 * `EventLog.group` see the same type here and on devices.
 *
 * Stable across restarts; 1 to 255 characters; no U+0000, no lone surrogate.
 */
export const StoreId = EventLogMessage.StoreId

/** See the value of the same name. */
export type StoreId = EventLogMessage.StoreId
