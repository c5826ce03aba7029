import { Data, Effect, Queue, Random } from "effect"

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

/** How a node listens. */
export interface Listening {
  readonly listen: Listen
  /** What becomes of what is told on each channel that is listened to. */
  readonly channels: ReadonlyMap<string, (payload: string) => void>
  /** Called when a connection has begun to listen: what was told before may have gone unheard. */
  readonly onBegin: () => void
  /** Whether what is told is heard; asked until it is. */
  readonly isHearing: Effect.Effect<boolean>
  /** Told when the node hears, and when it no longer does. */
  readonly onChange: (isHearing: boolean) => void
}

/** How often a silent connection is asked whether it is still there. */
const keepAlive = "15 seconds"

/** Asks a connection again and again whether it is still there, and whether it hears until it does. Fails when it is gone. */
const watch = (client: ListenClient, { isHearing, onChange }: Listening): Effect.Effect<never, ListenError> =>
  Effect.gen(function* () {
    let hears = false
    while (true) {
      if (!hears) {
        hears = yield* isHearing
        if (hears) onChange(true)
      }
      yield* Effect.sleep(keepAlive)
      yield* call(() => client.query("select 1")).pipe(
        Effect.timeoutOrElse({
          duration: "10 seconds",
          orElse: () => Effect.fail(new ListenError({ cause: new Error("The connection doesn't answer") }))
        })
      )
    }
  })

/** Listens on a connection until it is lost. */
const listenOnce = (listening: Listening): Effect.Effect<never, ListenError> =>
  Effect.gen(function* () {
    const { channels, listen, onBegin } = listening
    const lost = yield* Queue.dropping<unknown>(1)
    const lose = (cause?: unknown) => void Queue.offerUnsafe(lost, cause ?? new Error("The connection was closed"))
    const client = yield* Effect.acquireRelease(call(listen), (client) =>
      // One that doesn't answer any more can't say goodbye either.
      Effect.forkDetach(Effect.exit(call(() => client.end())))
    )
    // A connection may complain more than once, also while it is being closed.
    client.on("error", lose)
    client.on("end", lose)
    client.on("notification", ({ channel, payload = "" }) => channels.get(channel)?.(payload))
    yield* call(() => client.connect())
    for (const name of channels.keys()) yield* call(() => client.query(`listen "${name}"`))
    yield* Effect.sync(onBegin)
    const isLost = Effect.flatMap(Queue.take(lost), (cause) => Effect.fail(new ListenError({ cause })))
    return yield* Effect.raceFirst(isLost, watch(client, listening))
  }).pipe(Effect.scoped)

/** Pauses between two attempts to connect, in milliseconds: longer and longer, and partly at random. */
const pauseAfter = (failures: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(Math.min(5_000, 50 * 2 ** failures) * (0.5 + random / 2)))

/** Listens for what other processes tell, for ever. A connection that is lost is replaced. */
export const keepListening = (listening: Listening): Effect.Effect<never> => {
  let failures = 0
  const onBegin = () => {
    failures = 0
    listening.onBegin()
  }
  return listenOnce({ ...listening, onBegin }).pipe(
    Effect.catch((error) => {
      listening.onChange(false)
      return failures === 0 ? Effect.logWarning("Listening for changes was interrupted", error) : Effect.void
    }),
    Effect.andThen(Effect.suspend(() => pauseAfter(failures++))),
    Effect.forever
  )
}
