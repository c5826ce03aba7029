import { once } from "node:events"
import { type AddressInfo, createServer, type Server, Socket } from "node:net"
import type { Target } from "./target.ts"
import { Way } from "./Way.ts"

/** A port of its own that leads to a server, and what can befall a network on the way there. */
export class TcpProxy {
  readonly #server: Server
  readonly #ways = new Set<Way>()
  #target: Target
  #delayMillis = 0
  #isDown = false
  #unanswered: string | undefined

  private constructor(target: Target) {
    this.#target = target
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#accept(near))
  }

  /** Opens a proxy. */
  static async open(target: Target): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(0, "127.0.0.1")
    await once(proxy.#server, "listening")
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The same url, by this way. */
  through(url: string): string {
    const changed = new URL(url)
    changed.host = `127.0.0.1:${this.port}`
    return changed.href
  }

  /** Leads somewhere else from now on. Connections to where it led end. */
  lead(target: Target): void {
    this.#target = target
    this.cut(1)
  }

  /** Begins an outage: connections end, and new ones are refused. */
  readonly begin = async (): Promise<void> => {
    this.#isDown = true
    this.cut(1)
  }

  /** Ends an outage. */
  readonly end = async (): Promise<void> => {
    this.#isDown = false
  }

  /** The next request with a text arrives, and its answer is lost together with the connection. */
  loseAnswerTo(text: string): void {
    this.#unanswered = text
  }

  /** Delays everything from now on. */
  setDelay(millis: number): void {
    this.#delayMillis = millis
  }

  /** Cuts a share of the connections, from 0 to 1; at least one. */
  cut(share: number): void {
    for (const way of this.#some(share)) way.cut()
  }

  /** Leaves a share of the connections half open for a while. */
  silence(share: number, millis: number): void {
    for (const way of this.#some(share)) way.silence(millis)
  }

  /** Ends it, and every connection. */
  readonly close = async (): Promise<void> => {
    if (!this.#server.listening) return
    this.#isDown = true
    this.#server.close()
    for (const way of this.#ways) way.end()
    await once(this.#server, "close")
  }

  #accept(near: Socket): void {
    if (this.#isDown) return void near.destroy()
    const target = this.#target
    const far = new Socket()
    near.on("error", () => far.destroy())
    far.on("error", () => near.destroy())
    far.connect(target.port, target.host ?? "127.0.0.1", () => {
      if (this.#isDown || this.#target !== target) {
        near.destroy()
        return void far.destroy()
      }
      const way = new Way(near, far, {
        delay: () => this.#delayMillis,
        onRequest: (way, chunk) => this.#look(way, chunk)
      })
      this.#ways.add(way)
      near.once("close", () => this.#ways.delete(way))
      near.resume()
    })
  }

  #look(way: Way, chunk: Buffer): void {
    if (this.#unanswered === undefined || !chunk.includes(this.#unanswered)) return
    this.#unanswered = undefined
    way.loseAnswer()
  }

  #some(share: number): ReadonlyArray<Way> {
    const ways = Array.from(this.#ways)
    return ways.slice(0, Math.max(1, Math.round(ways.length * share)))
  }
}
