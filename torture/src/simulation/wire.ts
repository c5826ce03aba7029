import type { Transport } from "@eventlog-server/core/adapter"
import type { EventLogServerUnencrypted } from "@eventlog-server/core/effect"
import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { type Cause, Effect, Queue, Result } from "effect"
import type { NodeState } from "./nodeState.ts"

/** One connection, seen from a device. */
export interface Wire {
  readonly send: (message: ProtocolRequestUnencrypted) => void
  /** The next message; fails when the connection is gone. */
  readonly receive: Effect.Effect<ProtocolResponseUnencrypted, Cause.Done>
  /** Frames stay where they are, or go on. */
  readonly stall: (isStalled: boolean) => void
  /** The connection breaks, at both ends. What is on its way is lost. */
  readonly cut: () => void
}

const info = { remoteAddress: undefined, headers: {}, principal: undefined }

/** Connects a device to a node. Frames take their time and keep their order. */
export const connect = Effect.fnUntraced(function* (node: NodeState, server: EventLogServerUnencrypted["Service"]) {
  const inbound = yield* Queue.unbounded<Uint8Array>()
  const outbound = yield* Queue.unbounded<Uint8Array | "close">()
  const received = yield* Queue.unbounded<ProtocolResponseUnencrypted, Cause.Done>()
  let isOpen = true
  let isStalled = false
  let waitingBytes = 0

  const cut = (): void => {
    if (!isOpen) return
    isOpen = false
    Queue.endUnsafe(received)
    if (!node.isDead) listener.closed()
  }

  const transport: Transport = {
    send: (frame) => {
      if (!isOpen || node.isDead) return
      waitingBytes += frame.byteLength
      Queue.offerUnsafe(outbound, frame)
    },
    bufferedBytes: () => waitingBytes,
    close: () => {
      Queue.offerUnsafe(outbound, "close")
    }
  }
  const listener = server.connect(transport, info)
  node.onKilled(cut)

  const toServer = Effect.gen(function* () {
    const frame = yield* Queue.take(inbound)
    yield* node.delay
    if (isOpen) listener.receive(frame)
  })
  const toDevice = Effect.gen(function* () {
    const frame = yield* Queue.take(outbound)
    yield* node.delay
    while (isStalled && isOpen) yield* Effect.sleep(50)
    if (frame === "close") return cut()
    waitingBytes -= frame.byteLength
    if (isOpen) Queue.offerUnsafe(received, Result.getOrThrow(decodeResponseUnencrypted(frame)))
  })
  yield* Effect.forkDetach(Effect.forever(toServer))
  yield* Effect.forkDetach(Effect.forever(toDevice))

  const wire: Wire = {
    send: (message) => {
      if (isOpen) Queue.offerUnsafe(inbound, encodeRequestUnencrypted(message))
    },
    receive: Queue.take(received),
    stall: (stalled) => {
      isStalled = stalled
    },
    cut
  }
  return wire
})
