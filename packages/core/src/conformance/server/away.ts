import { Effect } from "effect"
import type { Nodes } from "../harness.ts"

/** Runs an effect while the storage is out of reach. It comes back whatever happens. */
export const away = <A, E, R>({ outage }: Nodes, during: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => outage?.begin()),
    () => during,
    () => Effect.promise(async () => outage?.end())
  )
