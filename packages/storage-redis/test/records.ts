import type { PageLimits } from "@eventlog-server/core/backend"

/** More than a test writes. */
export const wholePage: PageLimits = { maxEntries: 1_000, maxBytes: 1_000_000 }
