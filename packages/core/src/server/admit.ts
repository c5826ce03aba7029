import { type Duration, Effect } from "effect"
import type { ConnectionInfo, RefusalStatus } from "../connection/connections.ts"
import { callPlain } from "../containment/plainFunction.ts"
import { runDetached } from "../containment/runDetached.ts"
import { isRefusal } from "./asyncAuth.ts"

/**
 * The app's own rule for who may open a connection, asked before the upgrade. `refuse()`, or returning `false`, refuses with
 * 403; throwing anything else, or taking too long, with 503.
 */
export type Admit = (connection: ConnectionInfo) => unknown

/** Asks the app's rule: returns the status to refuse a connection with, if it is to be refused. */
export const askRule = (
  info: ConnectionInfo,
  rule: Admit | undefined,
  timeout: Duration.Duration
): Effect.Effect<RefusalStatus | undefined> => {
  if (rule === undefined) return Effect.succeed(undefined)
  const asked = callPlain(() => rule(info)).pipe(
    Effect.map((result) => (result === false ? (403 as const) : undefined)),
    Effect.catch((thrown) => (isRefusal(thrown) ? Effect.succeed(403 as const) : Effect.fail(thrown))),
    Effect.catchCause((cause) => Effect.as(Effect.logError("The rule for new connections failed", cause), 503 as const))
  )
  return Effect.map(runDetached(asked, Effect.sleep(timeout)), (outcome) =>
    outcome._tag === "Done" && outcome.exit._tag === "Success" ? outcome.exit.value : 503
  )
}
