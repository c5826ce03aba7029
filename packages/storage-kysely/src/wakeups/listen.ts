import type { AccessListeners } from "@eventlog-server/core"
import { Data, Effect, Queue, Random } from "effect"
import type { ActiveStores } from "./ActiveStores.ts"
import { accessChannelOf, changeOf } from "./accessNotes.ts"

/** What is needed of a connection that listens; `pg.Client` has it. */
export interface ListenClient {
  readonly connect: () => Promise<unknown>
  readonly query: (statement: string) => Promise<unknown>
  readonly end: () => Promise<unknown>
  on(
    event: "notification",
    listener: (message: { readonly channel: string; readonly payload?: string | undefined }) => void
  ): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  on(event: "end", listener: () => void): unknown
}

/** Makes a connection that nobody else uses. It is opened, and closed, by the package. */
export type Listen = () => ListenClient | Promise<ListenClient>

class ListenError extends Data.TaggedError("ListenError")<{ readonly cause: unknown }> {}

const call = <A>(promise: () => Promise<A> | A): Effect.Effect<A, ListenError> =>
  Effect.tryPromise({ try: async () => promise(), catch: (cause) => new ListenError({ cause }) })

/** Those on this node who are told what a connection hears. */
export interface Hearers {
  readonly stores: ActiveStores
  readonly access: AccessListeners
}

/** How often a silent connection is asked whether it is still there. */
const keepAlive = "15 seconds"

/** Listens on a connection until it is lost. */
const listenOnce = (
  listen: Listen,
  channel: string,
  { access, stores }: Hearers,
  onListening: Effect.Effect<void>
): Effect.Effect<never, ListenError> =>
  Effect.gen(function* () {
    const lost = yield* Queue.dropping<unknown>(1)
    const lose = (cause?: unknown) => void Queue.offerUnsafe(lost, cause ?? new Error("The connection was closed"))
    const client = yield* Effect.acquireRelease(call(listen), (client) =>
      // One that doesn't answer any more can't say goodbye either.
      Effect.forkDetach(Effect.exit(call(() => client.end())))
    )
    // A connection may complain more than once, also while it is being closed.
    client.on("error", lose)
    client.on("end", lose)
    client.on("notification", ({ channel: heard, payload = "" }) => {
      if (heard === channel) stores.wake(payload)
      else access.tell(changeOf(payload))
    })
    yield* call(() => client.connect())
    for (const name of [channel, accessChannelOf(channel)]) yield* call(() => client.query(`listen "${name}"`))
    yield* onListening
    const isAlive = call(() => client.query("select 1")).pipe(
      Effect.timeoutOrElse({
        duration: "10 seconds",
        orElse: () => Effect.fail(new ListenError({ cause: new Error("The connection doesn't answer") }))
      }),
      Effect.delay(keepAlive),
      Effect.forever
    )
    const isLost = Effect.flatMap(Queue.take(lost), (cause) => Effect.fail(new ListenError({ cause })))
    return yield* Effect.raceFirst(isLost, isAlive)
  }).pipe(Effect.scoped)

/** Pauses between two attempts to connect, in milliseconds: longer and longer, and partly at random. */
const pauseAfter = (failures: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(Math.min(5_000, 50 * 2 ** failures) * (0.5 + random / 2)))

/**
 * Listens for what other processes tell, for ever. A connection that is lost is replaced, and then every store may have
 * changed, and every key.
 *
 * @param onChange told whenever the node begins to hear of changes, and when it no longer does
 */
export const keepListening = (
  listen: Listen,
  channel: string,
  hearers: Hearers,
  onChange: (isListening: boolean) => void
): Effect.Effect<never> => {
  let failures = 0
  const onListening = Effect.sync(() => {
    failures = 0
    onChange(true)
    hearers.stores.wakeAll()
    hearers.access.tell("any")
  })
  return listenOnce(listen, channel, hearers, onListening).pipe(
    Effect.catch((error) => {
      onChange(false)
      return failures === 0 ? Effect.logWarning("Listening for changes was interrupted", error) : Effect.void
    }),
    Effect.andThen(Effect.suspend(() => pauseAfter(failures++))),
    Effect.forever
  )
}
