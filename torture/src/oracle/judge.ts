import { checkConvergence, checkJournals, checkSubscriptions } from "./checkDeliveries.ts"
import { checkOrigins, checkSequences, checkServerWrites } from "./checkFeeds.ts"
import { checkFailures, checkHandlers, checkKept, checkProjections } from "./checkHandlers.ts"
import { checkLives, checkMemory } from "./checkServers.ts"
import { checkAcks, checkInnocence, checkRefusals, checkWholeRequests } from "./checkWrites.ts"
import type { Check, Evidence, Violation } from "./history.ts"

/** What has to hold, the most telling first: a feed that is wrong makes everything after it look wrong. */
const checks: ReadonlyArray<Check> = [
  checkLives,
  checkSequences,
  checkOrigins,
  checkAcks,
  checkServerWrites,
  checkWholeRequests,
  checkRefusals,
  checkInnocence,
  checkSubscriptions,
  checkJournals,
  checkHandlers,
  checkFailures,
  checkKept,
  checkProjections,
  checkConvergence,
  checkMemory
]

/** Every promise that the evidence shows to be broken. */
export const judge = (evidence: Evidence): ReadonlyArray<Violation> => checks.flatMap((check) => check(evidence))
