import {
  ChunkJoiner,
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  defaultLimits,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import { WebSocket } from "ws"
import type { Recorder } from "../recorder.ts"
import { idOf, placedEntry } from "../seen.ts"

const bytesOf = (data: unknown): Uint8Array => {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return Uint8Array.from(Array.isArray(data) ? Buffer.concat(data) : (data as Buffer))
}

/** Writes down what one connection of a device carries. */
class Tap {
  private readonly device: string
  private readonly connection: string
  private readonly recorder: Recorder
  private readonly outgoing = new ChunkJoiner(defaultLimits)
  private readonly incoming = new ChunkJoiner(defaultLimits)

  constructor(device: string, connection: number, recorder: Recorder) {
    this.device = device
    this.connection = `${device}#${connection}`
    this.recorder = recorder
  }

  sent(frame: Uint8Array): void {
    const message = Result.getOrUndefined(decodeRequestUnencrypted(frame))
    if (message?._tag === "ChunkedMessage") {
      const joined = Result.getOrUndefined(this.outgoing.add(message))
      if (joined !== undefined) this.sent(joined)
    } else if (message !== undefined) this.sentMessage(message)
  }

  received(frame: Uint8Array): void {
    const message = Result.getOrThrow(decodeResponseUnencrypted(frame))
    if (message._tag === "ChunkedMessage") {
      const joined = Result.getOrThrow(this.incoming.add(message))
      if (joined !== undefined) this.received(joined)
    } else this.receivedMessage(message)
  }

  private sentMessage(message: ProtocolRequestUnencrypted): void {
    const { connection, device } = this
    if (message._tag === "WriteEntries") {
      const ids = message.entries.map((entry) => idOf(entry.id))
      this.recorder.record({ kind: "sent", device, request: `${connection}.${message.id}`, ids })
    }
    if (message._tag === "RequestChanges") {
      const subscription = `${connection}/${message.id}`
      this.recorder.record({ kind: "subscribed", device, subscription, from: message.startSequence })
    }
  }

  private receivedMessage(message: ProtocolResponseUnencrypted): void {
    const { connection, device } = this
    const { record } = this.recorder
    switch (message._tag) {
      case "Ack":
        return record({
          kind: "acked",
          device,
          request: `${connection}.${message.id}`,
          sequences: message.sequenceNumbers
        })
      case "Changes": {
        const entries = message.entries.map(placedEntry)
        return record({ kind: "delivered", device, subscription: `${connection}/${message.id}`, entries })
      }
      case "Error":
        if (message.requestTag !== "WriteEntries" || message.id === undefined) return
        return record({ kind: "refused", device, request: `${connection}.${message.id}`, reason: message.reason })
    }
  }
}

/** A websocket class for one device, whose connections write down what they carry. */
export const tappedWebSocket = (device: string, recorder: Recorder) => {
  let connections = 0
  return class TappedWebSocket extends WebSocket {
    private readonly tap = new Tap(device, connections++, recorder)

    constructor(url: string, protocols?: string | Array<string>) {
      super(url, protocols, { perMessageDeflate: false })
      // The first listener, so that it is written down before anybody acts on it.
      this.on("message", (data) => this.tap.received(bytesOf(data)))
      this.on("error", () => {})
    }

    override send(data: Parameters<WebSocket["send"]>[0], ...rest: ReadonlyArray<never>): void {
      this.tap.sent(bytesOf(data as Buffer))
      super.send(data, ...rest)
    }
  }
}
