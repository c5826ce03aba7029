import { type AddressInfo, createServer, type Server, Socket } from "node:net"

/** A way through the proxy: two sockets, and what is done to the bytes between them. */
class Way {
  private readonly near: Socket
  private readonly far: Socket
  private readonly delay: () => number
  private isSilent = false

  constructor(near: Socket, far: Socket, delay: () => number) {
    this.near = near
    this.far = far
    this.delay = delay
    this.pump(near, far)
    this.pump(far, near)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => this.cut())
    }
  }

  /** Breaks the connection at both ends. */
  cut(): void {
    if (this.isSilent) return
    this.near.destroy()
    this.far.destroy()
  }

  /** Neither end hears of the other any more, and neither is told, until the time is up. */
  silence(millis: number): void {
    this.isSilent = true
    setTimeout(() => {
      this.isSilent = false
      this.cut()
    }, millis)
  }

  /** Carries bytes, each chunk after a delay and behind those before it. The ends wait while much is on its way. */
  private pump(from: Socket, to: Socket): void {
    const waiting: Array<{ readonly chunk: Buffer; readonly at: number }> = []
    let isTimed = false
    const sendDue = (): void => {
      isTimed = false
      while (waiting[0] !== undefined && waiting[0].at <= performance.now()) this.send(from, to, waiting.shift()!.chunk)
      if (waiting[0] === undefined) return
      // One timer at a time: two of different lengths may go off in any order.
      isTimed = true
      setTimeout(sendDue, waiting[0].at - performance.now())
    }
    from.on("data", (chunk) => {
      if (this.isSilent) return
      waiting.push({ chunk, at: performance.now() + this.delay() })
      if (!isTimed) sendDue()
    })
  }

  private send(from: Socket, to: Socket, chunk: Buffer): void {
    // Delayed chunks still come when it is paused.
    if (this.isSilent || to.destroyed || to.write(chunk) || from.isPaused()) return
    from.pause()
    to.once("drain", () => from.resume())
  }
}

/** A TCP proxy in front of one server: delays what passes, cuts connections, or leaves them half open. */
export class FaultyProxy {
  private readonly target: number
  private readonly server: Server
  private readonly ways = new Set<Way>()
  private delayMillis = 0

  private constructor(target: number) {
    this.target = target
    this.server = createServer({ pauseOnConnect: true }, (near) => this.accept(near))
  }

  /** Opens a proxy on a free port. @param target the port that it leads to */
  static async open(target: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target)
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Delays everything from now on. */
  setDelay(millis: number): void {
    this.delayMillis = millis
  }

  /** Cuts a share of the connections, from 0 to 1; at least one. */
  cut(share: number): void {
    for (const way of this.some(share)) way.cut()
  }

  /** Leaves a share of the connections half open for a while. */
  silence(share: number, millis: number): void {
    for (const way of this.some(share)) way.silence(millis)
  }

  close(): void {
    this.server.close()
    for (const way of this.ways) way.cut()
  }

  private accept(near: Socket): void {
    const far = new Socket()
    near.on("error", () => far.destroy())
    far.on("error", () => near.destroy())
    far.connect(this.target, "127.0.0.1", () => {
      const way = new Way(near, far, () => this.delayMillis)
      this.ways.add(way)
      near.once("close", () => this.ways.delete(way))
      near.resume()
    })
  }

  private some(share: number): ReadonlyArray<Way> {
    const ways = Array.from(this.ways)
    return ways.slice(0, Math.max(1, Math.round(ways.length * share)))
  }
}
