import { Effect, Queue, Stream } from "effect"
import type { Wakeups } from "./Wakeups.ts"

/** The wake-ups of one channel. Those that nobody took yet are one. */
export const wakeupsOf = (wakeups: Wakeups, channel: string): Stream.Stream<void> =>
  Stream.callback<void>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => wakeups.listen(channel, () => Queue.offerUnsafe(queue, undefined))),
        (stop) => Effect.sync(stop)
      ),
    { bufferSize: 1, strategy: "dropping" }
  )
