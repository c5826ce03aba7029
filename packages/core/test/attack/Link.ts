import type { ProtocolName } from "../../src/connection/protocol.ts"
import type { Transport, TransportListener } from "../../src/connection/Transport.ts"
import type { Mountable } from "../../src/server/mountable.ts"

/** What a runtime lets a server do, and which protocol is spoken. */
export interface LinkOptions {
  readonly protocol: ProtocolName
  readonly canPause: boolean
  /** Whether it can tell how many bytes it holds. */
  readonly canTell: boolean
  readonly canTerminate: boolean
}

/** What a peer sees of its link. */
export interface LinkEvents {
  /** A frame was sent, whether or not it is ever read. */
  readonly onSent: (frame: Uint8Array) => void
  /** The peer read a frame. */
  readonly onRead: (frame: Uint8Array) => void
}

/**
 * A connection without a network, as any runtime may have it: a pause keeps what comes in, and a peer that doesn't read
 * leaves what was sent to it in the socket.
 */
export class Link implements Transport {
  readonly bufferedBytes?: () => number
  readonly pause?: () => void
  readonly resume?: () => void
  readonly terminate?: () => void
  /** How often it was closed; more than once is a defect of the server. */
  closes = 0
  /** Frames that were sent when it was closed or gone. */
  late = 0
  readonly #events: LinkEvents
  readonly #listener: TransportListener
  #unread: Array<Uint8Array> = []
  #kept: Array<Uint8Array | string> = []
  #isPaused = false
  #isReading = true
  #isGone = false

  constructor(server: Pick<Mountable, "connect">, options: LinkOptions, events: LinkEvents) {
    this.#events = events
    if (options.canTell) this.bufferedBytes = () => this.#unread.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (options.canTerminate) this.terminate = () => this.#gone()
    if (options.canPause) {
      this.pause = () => {
        this.#isPaused = true
      }
      this.resume = () => this.#goOn()
    }
    this.#listener = server.connect(
      this,
      { remoteAddress: undefined, headers: {}, principal: undefined },
      options.protocol
    )
  }

  /** Whether frames of the peer come to nothing. */
  get isOver(): boolean {
    return this.#isGone || this.closes > 0
  }

  readonly send = (frame: Uint8Array): void => {
    if (this.isOver) this.late++
    this.#events.onSent(frame)
    this.#unread.push(frame)
    // A peer reads what was sent later, never while it is being sent.
    queueMicrotask(this.#read)
  }

  readonly close = (): void => {
    this.closes++
    // As a socket does whose peer answers the close; one that doesn't read doesn't answer.
    queueMicrotask(() => {
      if (this.#isReading) this.#gone()
    })
  }

  /** The peer sends a frame. */
  frame(frame: Uint8Array | string): void {
    if (this.#isGone) return
    if (this.#isPaused) this.#kept.push(frame)
    else this.#listener.receive(frame)
  }

  /** The peer reads no more, or reads on. */
  set isReading(isReading: boolean) {
    this.#isReading = isReading
    this.#read()
    if (isReading && this.closes > 0) this.#gone()
  }

  /** The peer is gone. */
  cut(): void {
    this.#gone()
  }

  readonly #read = (): void => {
    while (this.#isReading && !this.#isGone && this.#unread.length > 0) this.#events.onRead(this.#unread.shift()!)
  }

  #goOn(): void {
    this.#isPaused = false
    queueMicrotask(() => {
      while (!this.#isPaused && !this.#isGone && this.#kept.length > 0) this.#listener.receive(this.#kept.shift()!)
    })
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#unread = []
    this.#kept = []
    this.#listener.closed()
  }
}
