import { Effect } from "effect"

interface Request {
  readonly bytes: number
  entered: boolean
  enter: () => void
}

/**
 * Bounds what is under way: a number of requests, and their bytes together. First come, first served, so that a
 * backlog keeps its order. A request bigger than the whole window goes alone.
 */
export class SendWindow {
  readonly #maxRequests: number
  readonly #maxBytes: number
  readonly #waiting = new Set<Request>()
  #requests = 0
  #bytes = 0

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = Math.max(1, maxRequests)
    this.#maxBytes = Math.max(1, maxBytes)
  }

  /** Runs `effect` when there is room for a request of so many bytes. */
  within<A, E, R>(bytes: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const request: Request = { bytes: Math.min(bytes, this.#maxBytes), entered: false, enter: () => {} }
      // Whether it entered is asked at the end, since an interruption may come between entering and going on.
      return Effect.ensuring(
        Effect.andThen(this.#enter(request), effect),
        Effect.sync(() => this.#leave(request))
      )
    })
  }

  #enter(request: Request): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      request.enter = () => resume(Effect.void)
      this.#waiting.add(request)
      this.#admit()
    })
  }

  #leave(request: Request): void {
    this.#waiting.delete(request)
    if (request.entered) {
      this.#requests--
      this.#bytes -= request.bytes
    }
    this.#admit()
  }

  #admit(): void {
    for (const request of this.#waiting) {
      if (this.#requests >= this.#maxRequests || this.#bytes + request.bytes > this.#maxBytes) return
      this.#waiting.delete(request)
      this.#requests++
      this.#bytes += request.bytes
      request.entered = true
      request.enter()
    }
  }
}
