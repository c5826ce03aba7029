import { WebSocket } from "ws"

/** How a peer connects. */
export interface SocketOptions {
  /** The address that it comes from, in 127.0.0.0/8. @default the system's choice */
  readonly from?: string | undefined
  /** Subprotocols that it offers. @default none */
  readonly protocols?: ReadonlyArray<string> | undefined
  readonly onMessage?: ((frame: Buffer) => void) | undefined
  /** Reads nothing from the first frame on, not even that the server closes. @default false */
  readonly isMute?: boolean | undefined
}

/** How a connection ended; 1006 when it was cut. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A websocket that costs its process little: frames aren't masked, so nothing is copied. */
export class PeerSocket {
  readonly #socket: WebSocket
  readonly opened: Promise<void>
  readonly closed: Promise<Closed>

  constructor(url: string, { from, isMute = false, onMessage, protocols = [] }: SocketOptions) {
    this.#socket = new WebSocket(url, [...protocols], {
      perMessageDeflate: false,
      generateMask: () => {},
      ...(from === undefined ? {} : { localAddress: from })
    })
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once("open", resolve)
      this.#socket.on("error", reject)
    })
    this.opened.catch(() => {})
    this.closed = new Promise((resolve) =>
      this.#socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }))
    )
    if (isMute) this.#socket.once("upgrade", ({ socket }) => socket.pause())
    if (onMessage !== undefined) this.#socket.on("message", onMessage)
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  /** The subprotocol that the server selected; empty when none. */
  get protocol(): string {
    return this.#socket.protocol
  }

  /** Bytes that wait here, since the server doesn't read them. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  send(frame: Uint8Array): void {
    if (this.isOpen) this.#socket.send(frame)
  }

  /** Reads nothing any more. */
  mute(): void {
    this.#socket.pause()
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket.terminate()
  }
}
