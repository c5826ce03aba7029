/** Lets a user try how the page works without a connection. A real app needs nothing of this. */
export class PausableWebSocket {
  #paused = false
  #open: WebSocket | undefined

  /** The class that the client opens its websockets with. */
  readonly Class: typeof WebSocket

  constructor() {
    const opened = (socket: WebSocket) => {
      this.#open = socket
    }
    this.Class = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | Array<string>) {
        super(url, protocols)
        opened(this)
      }
    }
  }

  /** The `url` for the client, which asks before each attempt to connect. */
  urlUnlessPaused(url: string): string {
    if (this.#paused) throw new Error("Working offline")
    return url
  }

  get paused(): boolean {
    return this.#paused
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    if (paused) this.#open?.close()
  }
}
