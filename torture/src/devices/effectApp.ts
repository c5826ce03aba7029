import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Queue, Scope } from "effect"
import { type EventJournal, EventLog, EventLogRemote } from "effect/eventlog"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { WebSocket } from "ws"
import { type App, type AppOptions, type Disk, type InstallApp, layerEventLog } from "./app.ts"
import { tapRemote } from "./remoteTap.ts"

/** An app on effect's own client. */
export const installEffectApp: InstallApp = (options) => {
  let connections = 0
  return () => open(options, () => `${options.device}#${connections++}`)
}

/** Pause before the next connection. */
const pause = "300 millis"
/** How long an app that ends may try to send what it has. */
const closeTimeout = "1 second"

/** effect's remote on a websocket. @param broken done when that is gone */
const layerRemote = (
  { device, recorder, url }: AppOptions,
  registry: EventLog.Registry["Service"],
  connection: string,
  broken: Deferred.Deferred<void>
) => {
  const openWebSocket = (url: string): globalThis.WebSocket => {
    const socket = new WebSocket(url, { perMessageDeflate: false })
    socket.on("error", () => {})
    socket.on("close", () => Deferred.doneUnsafe(broken, Effect.void))
    return socket as unknown as globalThis.WebSocket
  }
  const tapped: EventLog.Registry["Service"] = {
    ...registry,
    registerRemote: (remote) => registry.registerRemote(tapRemote(remote, device, connection, recorder, broken))
  }
  return EventLogRemote.layerUnencrypted.pipe(
    Layer.provide(Layer.succeed(EventLog.Registry, tapped)),
    Layer.provide(RpcClient.layerProtocolSocket()),
    Layer.provide(RpcSerialization.layerSchemaBinary()),
    Layer.provide(Socket.layerWebSocket(url("/rpc"))),
    Layer.provide(Layer.succeed(Socket.WebSocketConstructor, openWebSocket))
  )
}

/** How many entries a remote hasn't confirmed. Failing is how to look at them without confirming them. */
const countPending = ({ journal }: Disk, remoteId: EventJournal.RemoteId): Effect.Effect<number> =>
  journal
    .withRemoteUncommited(remoteId, (entries) => Effect.fail(entries.length))
    .pipe(
      Effect.as(0),
      Effect.catch((error) => (typeof error === "number" ? Effect.succeed(error) : Effect.die(error)))
    )

/**
 * An app that makes the remote anew for every connection, as `docs/effect-clients.md` advises: effect's remembers which
 * server it met first, and proofs that failed.
 */
const open = async (options: AppOptions, nextConnection: () => string): Promise<App> => {
  const { disk } = options
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(
    Layer.buildWithScope(layerEventLog(disk).pipe(Layer.provideMerge(Logger.layer([]))), scope)
  )
  const registry = Context.get(context, EventLog.Registry)
  const wakes = await Effect.runPromise(Queue.sliding<void>(1))
  let remoteId: EventJournal.RemoteId | undefined
  let connection = "offline"

  const connect = Effect.gen(function* () {
    connection = "connecting"
    const broken = yield* Deferred.make<void>()
    const built = yield* Layer.build(layerRemote(options, registry, nextConnection(), broken)).pipe(
      Effect.raceFirst(Effect.andThen(Deferred.await(broken), Effect.fail("gone")))
    )
    remoteId = Context.get(built, EventLogRemote.EventLogRemote).id
    connection = "online"
    yield* Deferred.await(broken)
  }).pipe(
    Effect.scoped,
    Effect.ensuring(
      Effect.sync(() => {
        connection = "offline"
      })
    )
  )

  await connect.pipe(
    Effect.ignore,
    Effect.andThen(Effect.timeoutOption(Queue.take(wakes), pause)),
    Effect.forever,
    Effect.provideContext(context),
    Effect.forkIn(scope),
    Effect.runPromise
  )

  const status = Effect.suspend(() => {
    if (remoteId === undefined) return Effect.succeed({ pending: Number.POSITIVE_INFINITY, cursor: 0 })
    return Effect.all({
      pending: countPending(disk, remoteId),
      cursor: Effect.map(Effect.orDie(disk.journal.nextRemoteSequence(remoteId)), (next) => next - 1)
    })
  })

  return {
    log: Context.get(context, EventLog.EventLog),
    wake: () => Effect.runPromise(Effect.asVoid(Queue.offer(wakes, undefined))),
    isSynced: async (head) => {
      const { cursor, pending } = await Effect.runPromise(status)
      return pending === 0 && cursor >= head
    },
    describe: async () => {
      const { cursor, pending } = await Effect.runPromise(status)
      return `effect's client, ${connection}, ${pending} pending, cursor ${cursor}`
    },
    // Only the waiting ends early: what hangs on a half-open connection is closed once that is gone.
    close: () =>
      Effect.forkDetach(Scope.close(scope, Exit.void)).pipe(
        Effect.flatMap((closing) => Effect.timeoutOption(Fiber.join(closing), closeTimeout)),
        Effect.asVoid,
        Effect.runPromise
      )
  }
}
