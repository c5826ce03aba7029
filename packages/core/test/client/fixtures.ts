import { Cause, Context, Effect, Fiber, Layer, Logger, Queue, Redacted, type Scope } from "effect"
import { EventLog, EventLogMessage, type EventLogRemote } from "effect/eventlog"
import { Socket } from "effect/socket"
import {
  type Client,
  type ClientOptions,
  type ClientStatus,
  EventLogClient,
  type EventLogClientOptions,
  fromSocketUnencrypted
} from "../../src/client/index.ts"
import { makeWebSocket, type WebSocketOptions } from "../../src/client/webSocket.ts"
import type { AnnouncedLimits } from "../../src/wire/index.ts"
import { scriptedServer } from "./scriptedServer.ts"

/** Timings that let a test go through a reconnect at once. */
export const quick = { backoffMinimum: 1, backoffMaximum: 5 } satisfies ClientOptions

export const storeId = EventLogMessage.StoreId.make("default")

export const makeIdentity = (publicKey = "device"): EventLog.Identity["Service"] => ({
  publicKey,
  privateKey: Redacted.make(Uint8Array.from({ length: 32 }, (_, index) => index + publicKey.length))
})

/** Starts an effect; the answer waits for its outcome. */
export const background = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Effect.Effect<A, E>, never, R> =>
  Effect.map(Effect.forkChild(effect, { startImmediately: true }), Fiber.join)

type Remote = EventLogRemote.EventLogRemote["Service"]

/** A remote over a real websocket, as effect's `EventLog` would use it. */
export const connectRemote = (
  options: WebSocketOptions & ClientOptions
): Effect.Effect<Remote, EventLogRemote.EventLogRemoteError, Scope.Scope> =>
  Effect.gen(function* () {
    const registry = yield* Layer.build(EventLog.layerRegistry)
    const socket = yield* makeWebSocket(options)
    return yield* fromSocketUnencrypted({ ...quick, ...options }).pipe(
      Effect.provideService(Socket.Socket, socket),
      Effect.provideContext(registry as Context.Context<EventLog.Registry>)
    )
  })

/** A server that has said hello, and a remote that has heard it. */
export const connectTo = Effect.fnUntraced(function* (
  options: ClientOptions = {},
  limits: Partial<AnnouncedLimits> = {}
) {
  const server = yield* scriptedServer
  const connecting = yield* background(connectRemote({ url: server.url, ...options }))
  const peer = yield* server.accept
  peer.hello({ limits })
  return { server, peer, remote: yield* connecting }
})

/** A client with a server of its own, unless the url says otherwise. Nothing is connected yet. */
export const startClient = Effect.fnUntraced(function* (options: Partial<EventLogClientOptions> = {}) {
  const server = yield* scriptedServer
  const context = yield* Layer.build(
    Layer.provideMerge(EventLogClient.layer({ url: server.url, ...quick, ...options }), EventLog.layerRegistry)
  )
  const registered = yield* Queue.unbounded<Remote>()
  const live = new Set<Remote>()
  yield* Context.get(context, EventLog.Registry).handleRemote((remote) =>
    Effect.acquireUseRelease(
      Effect.sync(() => live.add(remote)),
      () => Effect.andThen(Queue.offer(registered, remote), Effect.never),
      () => Effect.sync(() => live.delete(remote))
    )
  )
  return {
    server,
    client: Context.get(context, EventLogClient),
    /** The next remote that the client registers. */
    registered: Queue.take(registered),
    /** The remotes that are registered now. */
    live
  }
})

/** The first status that is as expected. */
export const untilStatus = (client: Client, expected: (status: ClientStatus) => boolean): Effect.Effect<ClientStatus> =>
  Effect.callback((resume) => {
    const look = (status: ClientStatus) => {
      if (expected(status)) resume(Effect.succeed(status))
    }
    const end = client.subscribe(look)
    look(client.status())
    return Effect.sync(end)
  })

/** Keeps what is logged, instead of printing it. */
export const captureLogs = (logged: Array<string>): Layer.Layer<never> =>
  Logger.layer([Logger.make(({ cause, message }) => void logged.push(`${message} ${Cause.pretty(cause)}`))])

/** Replaces globals until the scope closes. */
export const withGlobals = (globals: Record<string, unknown>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    Object.entries(globals),
    ([name, value]) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const before = Object.getOwnPropertyDescriptor(globalThis, name)
          Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
          return before
        }),
        (before) =>
          Effect.sync(() => {
            if (before === undefined) Reflect.deleteProperty(globalThis, name)
            else Object.defineProperty(globalThis, name, before)
          })
      ),
    { discard: true }
  )
