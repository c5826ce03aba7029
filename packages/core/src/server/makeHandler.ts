import { Effect, Latch, Queue } from "effect"
import { Socket } from "effect/socket"
import type { ConnectionInfo } from "../connection/connections.ts"
import type { ProtocolName } from "../connection/protocol.ts"
import type { Transport } from "../connection/Transport.ts"
import { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"

/**
 * Serves one socket until it closes. It fails only when the socket breaks, not when it is closed.
 * @param protocol default `"eventlog"`
 */
export type SocketHandler = (
  socket: Socket.Socket,
  info?: ConnectionInfo,
  protocol?: ProtocolName
) => Effect.Effect<void, Socket.SocketError>

const unknownPeer: ConnectionInfo = { remoteAddress: undefined, headers: {}, principal: undefined }

type Outgoing = Uint8Array | Socket.CloseEvent

/**
 * A transport that queues for the socket's writer, which can't tell what it holds: what the peer answers paces the session.
 * A socket of effect's can only be closed, so it doesn't terminate either.
 * @param flowing open while the socket may be read
 */
const queueTransport = (outgoing: Queue.Queue<Outgoing>, flowing: Latch.Latch): Transport => {
  let isClosing = false
  return {
    send: (frame) => {
      Queue.offerUnsafe(outgoing, frame)
    },
    close: (code, reason) => {
      Queue.offerUnsafe(outgoing, new Socket.CloseEvent(code, reason))
      // From here on the socket is read for the peer's answer.
      isClosing = true
      flowing.openUnsafe()
    },
    pause: () => {
      if (!isClosing) flowing.closeUnsafe()
    },
    resume: () => {
      flowing.openUnsafe()
    }
  }
}

const isClose = (error: Socket.SocketError): boolean => error.reason._tag === "SocketCloseError"

/** Serves the protocols on any effect `Socket`. */
export const makeHandler: Effect.Effect<SocketHandler, never, EventLogServerUnencrypted> = Effect.map(
  EventLogServerUnencrypted,
  (server) =>
    (socket, info = unknownPeer, protocol = "eventlog") =>
      Effect.scoped(
        Effect.gen(function* () {
          // The reader comes first: it is what opens the socket, and nothing can be written before.
          const reader = yield* socket.reader
          const writer = yield* socket.writer
          // Unbounded, since the session bounds what it sends: by what the peer answers, and `maxOutboundBytes`.
          const outgoing = yield* Queue.unbounded<Outgoing>()
          const flowing = Latch.makeUnsafe(true)
          const listener = server.connect(queueTransport(outgoing, flowing), info, protocol)
          yield* Effect.addFinalizer(() => Effect.sync(() => listener.closed()))
          const writing = Queue.take(outgoing).pipe(Effect.flatMap(writer.write), Effect.forever)
          const reading = Effect.forever(
            flowing.whenOpen(
              Effect.map(reader.pull, (frames) => {
                for (const frame of frames) listener.receive(frame)
              })
            )
          )
          // Either one that fails ends both: a socket that can't be written is no use to read from.
          yield* Effect.raceFirst(reading, writing)
        })
      ).pipe(Effect.catchIf(isClose, () => Effect.void))
)
