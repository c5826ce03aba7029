import { Deferred, Effect, Queue, Result, type Scope } from "effect"
import type { Socket } from "effect/socket"
import { partBytesFor } from "../wire/chunks.ts"
import {
  type AnnouncedLimits,
  defaultLimits,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  splitMessage
} from "../wire/index.ts"
import { protocolVersion } from "../wire/messages.ts"
import { retryAfterOf } from "../wire/retryAfter.ts"
import { ConnectionFailure } from "./errors.ts"
import { OpeningError } from "./explain.ts"
import { Inbox } from "./inbox.ts"
import { keepAlive } from "./keepAlive.ts"
import type { Settings } from "./options.ts"
import { Session } from "./session.ts"

/** What a connection needs from outside. */
export interface ConnectionContext {
  readonly socket: Socket.Socket
  readonly settings: Settings
  /** Completes when the network may have come back: a reason to look whether the connection still lives. */
  readonly woken: Effect.Effect<void>
  /** Told of the session as soon as the server said hello. */
  readonly onSession: (session: Session) => void
}

/**
 * Opens the socket and runs one connection until its end, which is always a failure that says why. The scope owns the
 * socket; closing it closes the socket with 1000.
 */
export const runConnection = (context: ConnectionContext): Effect.Effect<never, ConnectionFailure, Scope.Scope> =>
  Effect.suspend(() => {
    const begun = Deferred.makeUnsafe<Session>()
    return Effect.raceFirst(converse(context, begun), watch(context, begun))
  })

/** Fails when no session began in time, or when the session is dead or was ended. */
const watch = (
  { settings, woken }: ConnectionContext,
  begun: Deferred.Deferred<Session>
): Effect.Effect<never, ConnectionFailure> =>
  Deferred.await(begun).pipe(
    Effect.timeoutOrElse({
      duration: settings.connectTimeout,
      orElse: () => Effect.fail(new ConnectionFailure({ reason: "Timeout", message: "The server did not say hello" }))
    }),
    Effect.flatMap((session) => Effect.raceFirst(keepAlive(session, settings, woken), Deferred.await(session.ended)))
  )

const converse = Effect.fnUntraced(function* (
  context: ConnectionContext,
  begun: Deferred.Deferred<Session>
): Effect.fn.Return<never, ConnectionFailure, Scope.Scope> {
  const { pull } = yield* Effect.mapError(context.socket.reader, toFailure)
  const outbox = yield* makeOutbox(context.socket)
  let inbox = new Inbox(defaultLimits)
  let session: Session | undefined

  const begin = (message: ProtocolResponseUnencrypted): ConnectionFailure | undefined => {
    if (message._tag === "Ping") {
      outbox.send({ _tag: "Pong", id: message.id })
      return undefined
    }
    if (message._tag === "Error") return refusedConnection(message)
    if (message._tag !== "Hello") return violation("The server did not begin with Hello")
    if (message.protocol !== protocolVersion) return violation(`The server speaks protocol ${message.protocol}`)
    outbox.limits = message.limits
    inbox = new Inbox(message.limits)
    session = new Session(message, outbox.send)
    context.onSession(session)
    Deferred.doneUnsafe(begun, Effect.succeed(session))
    return undefined
  }

  const receive = (frame: Uint8Array | string): ConnectionFailure | undefined => {
    const message = inbox.add(frame)
    if (Result.isFailure(message)) return message.failure
    if (message.success === undefined) return undefined
    if (session === undefined) return begin(message.success)
    session.receive(message.success)
    return undefined
  }

  while (true) {
    const frames = yield* Effect.mapError(pull, toFailure)
    if (session !== undefined) session.heard = true
    for (const frame of frames) {
      const failure = receive(frame)
      if (failure !== undefined) return yield* failure
    }
  }
})

/** Sends messages from code that can't wait. Frames go out in order, those of one message together. */
interface Outbox {
  limits: Pick<AnnouncedLimits, "maxFrameBytes">
  readonly send: (message: ProtocolRequestUnencrypted) => void
}

const makeOutbox = Effect.fnUntraced(function* (socket: Socket.Socket): Effect.fn.Return<Outbox, never, Scope.Scope> {
  const frames = yield* Queue.unbounded<Uint8Array>()
  const writer = yield* socket.writer
  // A failed write needs no handling: the reader of a broken socket fails too, and it says why.
  yield* Queue.takeAll(frames).pipe(
    Effect.flatMap((batch) => writer.writeAll(batch)),
    Effect.forever,
    Effect.ignore,
    Effect.forkScoped
  )
  let chunked = 0
  const outbox: Outbox = {
    limits: defaultLimits,
    send: (message) => {
      const parts = splitMessage(encodeRequestUnencrypted(message), chunked++, partBytesFor(outbox.limits))
      Queue.offerAllUnsafe(frames, parts)
    }
  }
  return outbox
})

const violation = (message: string) => new ConnectionFailure({ reason: "Protocol", message })

const refusedConnection = (error: { readonly message: string }) =>
  new ConnectionFailure({ reason: "Open", message: error.message, cause: error })

const openingOf = (cause: unknown): { readonly message: string; readonly status?: number | undefined } =>
  cause instanceof OpeningError
    ? { message: cause.message, status: cause.status }
    : { message: "The connection could not be opened" }

const toFailure = (error: Socket.SocketError): ConnectionFailure => {
  const { reason } = error
  switch (reason._tag) {
    case "SocketCloseError":
      return new ConnectionFailure({
        reason: "Closed",
        message: reason.closeReason || `The connection was closed with ${reason.code}`,
        closeCode: reason.code,
        retryAfter: retryAfterOf(reason.closeReason ?? ""),
        cause: error
      })
    case "SocketOpenError":
      return new ConnectionFailure({
        reason: reason.kind === "Timeout" ? "Timeout" : "Open",
        ...openingOf(reason.cause),
        cause: error
      })
    default:
      return new ConnectionFailure({ reason: "Closed", message: "The connection broke", cause: error })
  }
}
