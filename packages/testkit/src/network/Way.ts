import type { Socket } from "node:net"

/** What is asked of every way before a chunk passes. */
export interface WayOptions {
  /** Milliseconds that a chunk takes. */
  readonly delay: () => number
  /** Told of every chunk from the near end. */
  readonly onRequest: (way: Way, chunk: Buffer) => void
}

/** A way through a proxy: two sockets, and what is done to the bytes between them. */
export class Way {
  readonly #near: Socket
  readonly #far: Socket
  readonly #delay: () => number
  #isSilent = false
  #losesAnswer = false

  constructor(near: Socket, far: Socket, { delay, onRequest }: WayOptions) {
    this.#near = near
    this.#far = far
    this.#delay = delay
    near.on("data", (chunk) => onRequest(this, chunk))
    this.#pump(near, far)
    this.#pump(far, near)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => this.cut())
    }
  }

  /** Breaks the connection at both ends. */
  cut(): void {
    if (!this.#isSilent) this.end()
  }

  /** Closes both ends, also where they hear nothing of each other. */
  end(): void {
    this.#near.destroy()
    this.#far.destroy()
  }

  /** Neither end hears of the other any more, and neither is told, until the time is up. */
  silence(millis: number): void {
    this.#isSilent = true
    setTimeout(() => {
      this.#isSilent = false
      this.cut()
    }, millis).unref()
  }

  /** The next thing that the far end says is lost, together with the connection. */
  loseAnswer(): void {
    this.#losesAnswer = true
  }

  /** Carries bytes, each chunk after a delay and behind those before it. The ends wait while much is on its way. */
  #pump(from: Socket, to: Socket): void {
    const waiting: Array<{ readonly chunk: Buffer; readonly at: number }> = []
    let isTimed = false
    const sendDue = (): void => {
      isTimed = false
      while (waiting[0] !== undefined && waiting[0].at <= performance.now())
        this.#send(from, to, waiting.shift()!.chunk)
      if (waiting[0] === undefined) return
      // One timer at a time: two of different lengths may go off in any order.
      isTimed = true
      setTimeout(sendDue, waiting[0].at - performance.now())
    }
    from.on("data", (chunk) => {
      if (this.#losesAnswer && from === this.#far) this.cut()
      if (this.#isSilent) return
      waiting.push({ chunk, at: performance.now() + this.#delay() })
      if (!isTimed) sendDue()
    })
  }

  #send(from: Socket, to: Socket, chunk: Buffer): void {
    // Delayed chunks still come when it is paused.
    if (this.#isSilent || to.destroyed || to.write(chunk) || from.isPaused()) return
    from.pause()
    to.once("drain", () => from.resume())
  }
}
