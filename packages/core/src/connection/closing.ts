import { Effect } from "effect"
import type { Peer } from "./conversation.ts"
import type { OutflowEvents } from "./outflow.ts"

/** Closes a connection that is not read, or whose transport broke. */
export const closeOnOutflow = (peer: Peer): OutflowEvents => ({
  onOverflow: () => peer.close(1008, "The connection is not being read"),
  onBroken: () => peer.close(1011, "The connection failed")
})

/** Closes a connection that could not be greeted: the storage that knows the server's id is away. */
export const closeUngreeted = (peer: Peer) =>
  Effect.catchCause((cause) =>
    Effect.andThen(
      Effect.logError("A connection could not be greeted", cause),
      Effect.sync(() => peer.close(1013, "The storage is unavailable"))
    )
  )
