import { Effect, Queue, Stream } from "effect"
import type { Client } from "./client.ts"
import type { ClientStatus } from "./status.ts"

/**
 * A client's status now, then each new one, as a stream. A slow consumer gets the newest and misses those between. It is no
 * member of the client, so that a page without streams doesn't load them.
 */
export const statusChanges = (client: Pick<Client, "status" | "subscribe">): Stream.Stream<ClientStatus> =>
  Stream.callback<ClientStatus>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          Queue.offerUnsafe(queue, client.status())
          return client.subscribe((status) => Queue.offerUnsafe(queue, status))
        }),
        (unsubscribe) => Effect.sync(unsubscribe)
      ),
    { bufferSize: 1, strategy: "sliding" }
  )
