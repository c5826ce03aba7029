import { connect as connectSocket, type Socket } from "node:net"

/** Every read goes through this buffer: what it holds is only valid while a frame is handled. */
const readBuffer = Buffer.allocUnsafe(1024 * 1024)

/** Bytes before the payload of a client's frame: the longest header, and an all-zero mask. */
export const headRoom = 14

const opcodes = { binary: 2, close: 8, ping: 9 }

/** What a websocket tells its owner. */
export interface WebSocketEvents {
  /** A message arrived, maybe before `open` has resolved. The bytes are overwritten afterwards. */
  readonly onMessage: (message: Buffer, socket: LeanWebSocket) => void
  /** It is over, wanted or not. */
  readonly onClose: (reason: string) => void
  /** Ends it, also while it is being opened. @default nothing does */
  readonly signal?: AbortSignal | undefined
}

/**
 * A websocket client that does as little as the protocol allows, so that a load process costs less than the server
 * that it loads: no copies, no events, no masking (the mask is zero), frames of servers that don't fragment.
 */
export class LeanWebSocket {
  private readonly socket: Socket
  private readonly events: WebSocketEvents
  private handshaken: (() => void) | undefined
  private rest: Buffer | undefined

  private constructor(url: URL, events: WebSocketEvents, resolve: () => void) {
    this.events = events
    this.handshaken = resolve
    this.socket = connectSocket({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length, buffer) => {
          this.take((buffer as Buffer).subarray(0, length))
          return true
        }
      }
    })
    this.socket.on("error", () => {})
    this.socket.on("close", () => events.onClose("The connection was lost"))
    events.signal?.addEventListener("abort", () => this.close(), { once: true })
    this.socket.write(upgradeRequest(url))
  }

  /** Opens a websocket. Rejects when it closes before it is open. */
  static open(url: URL, events: WebSocketEvents): Promise<LeanWebSocket> {
    return new Promise((resolve, reject) => {
      const onClose = (reason: string) => {
        reject(new Error(reason))
        events.onClose(reason)
      }
      const socket: LeanWebSocket = new LeanWebSocket(url, { ...events, onClose }, () => resolve(socket))
    })
  }

  /** Sends a message. */
  send(message: Uint8Array): void {
    const frame = Buffer.allocUnsafe(headRoom + message.length)
    frame.set(message, headRoom)
    this.sendFramed(frame)
  }

  /** Sends the message that begins at `headRoom` of a buffer, in place: the room before it becomes the header. */
  sendFramed(frame: Buffer): void {
    this.socket.write(frame.subarray(writeHeader(frame)))
  }

  close(): void {
    this.socket.destroy()
  }

  private take(data: Buffer): void {
    let bytes = this.rest === undefined ? data : Buffer.concat([this.rest, data])
    this.rest = undefined
    if (this.handshaken !== undefined) {
      const end = bytes.indexOf("\r\n\r\n")
      if (end === -1) {
        this.rest = Buffer.from(bytes)
        return
      }
      if (!bytes.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) return this.end("The upgrade was refused")
      this.handshaken()
      this.handshaken = undefined
      bytes = bytes.subarray(end + 4)
    }
    const consumed = this.frames(bytes)
    if (consumed < bytes.length) this.rest = Buffer.from(bytes.subarray(consumed))
  }

  /** Handles whole frames and answers how many bytes they were. */
  private frames(bytes: Buffer): number {
    let offset = 0
    while (bytes.length - offset >= 2) {
      const short = bytes[offset + 1]! & 0x7f
      const start = offset + (short < 126 ? 2 : short === 126 ? 4 : 10)
      if (bytes.length < start) break
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(offset + 2) : Number(bytes.readBigUInt64BE(offset + 2))
      if (bytes.length < start + length) break
      this.frame(bytes[offset]! & 0x0f, bytes.subarray(start, start + length))
      offset = start + length
    }
    return offset
  }

  private frame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.binary) this.events.onMessage(payload, this)
    else if (opcode === opcodes.close) this.end(`Closed with ${payload.readUInt16BE(0)} ${payload.subarray(2)}`)
    else if (opcode !== opcodes.ping) this.end("A frame that a load process doesn't understand")
  }

  private end(reason: string): void {
    this.events.onClose(reason)
    this.socket.destroy()
  }
}

const upgradeRequest = (url: URL): string =>
  [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "\r\n"
  ].join("\r\n")

/** Writes the header right before the message, and answers where it begins. */
const writeHeader = (frame: Buffer): number => {
  const length = frame.length - headRoom
  const lengthBytes = length < 126 ? 0 : length < 0x1_0000 ? 2 : 8
  const start = headRoom - 4 - lengthBytes - 2
  frame[start] = 0x80 | opcodes.binary
  frame[start + 1] = 0x80 | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) frame.writeUInt16BE(length, start + 2)
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), start + 2)
  frame.fill(0, headRoom - 4, headRoom)
  return start
}
