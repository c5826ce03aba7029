import { Deferred, Effect, Exit, Layer, Scope } from "effect"
import { type EventLog, EventLogRemote } from "effect/eventlog"
import { Socket } from "effect/socket"
import { runClient } from "./client.ts"
import type { EventLogClientOptions } from "./EventLogClient.ts"
import { type ClientError, clientError } from "./errors.ts"
import type { ClientOptions } from "./options.ts"
import { makeWebSocket } from "./webSocket.ts"

type Remote = EventLogRemote.EventLogRemote["Service"]

/**
 * effect's `EventLogRemote` on a `Socket`, registered with the `Registry` as long as the scope lives. It waits for the
 * first contact and fails with an `EventLogRemoteError` if that fails; later it connects again by itself. An app that
 * must start offline takes `EventLogClient.layer`.
 *
 * An identity may have one `changes` at a time: a server follows a key once per connection.
 *
 * The remote is the server of the first contact. When the address leads to another server later, that one is
 * registered in its place, and this value fails.
 */
export const fromSocketUnencrypted = Effect.fnUntraced(function* (
  options: ClientOptions = {}
): Effect.fn.Return<Remote, ClientError, Scope.Scope | Socket.Socket | EventLog.Registry> {
  const socket = yield* Socket.Socket
  const scope = yield* Effect.scope
  const first = Deferred.makeUnsafe<Remote, ClientError>()
  const own = yield* Scope.fork(scope)
  yield* Scope.provide(
    runClient(socket, options, {
      onRegistered: (remote) => Deferred.doneUnsafe(first, Effect.succeed(remote)),
      onFailure: (failure) => Deferred.doneUnsafe(first, Effect.fail(clientError("connect", failure)))
    }),
    own
  )
  return yield* Deferred.await(first).pipe(Effect.onError(() => Scope.close(own, Exit.void)))
})

/** A layer of {@link fromSocketUnencrypted}. */
export const layerSocketUnencrypted = (
  options: ClientOptions = {}
): Layer.Layer<EventLogRemote.EventLogRemote, ClientError, Socket.Socket | EventLog.Registry> =>
  Layer.effect(EventLogRemote.EventLogRemote, fromSocketUnencrypted(options))

/** {@link layerSocketUnencrypted} that dials a websocket itself. */
export const layerWebSocketUnencrypted = (
  options: EventLogClientOptions
): Layer.Layer<EventLogRemote.EventLogRemote, ClientError, EventLog.Registry> =>
  Layer.provide(layerSocketUnencrypted(options), Layer.effect(Socket.Socket, makeWebSocket(options)))
