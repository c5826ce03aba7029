import { Effect, Fiber } from "effect"

/** What may be under way together. */
export interface WindowSize {
  readonly requests: number
  readonly bytes: number
  readonly frames: number
  /** Bytes of a frame: a request has one for each so many of its bytes, and one at least. */
  readonly frameBytes: number
}

interface Request {
  readonly bytes: number
  readonly frames: number
  entered: boolean
  enter: () => void
}

/**
 * Bounds what is under way: a number of requests, their bytes together, and their frames. First come, first served, so
 * that a backlog keeps its order. A request bigger than the whole window goes alone.
 */
export class SendWindow {
  readonly #size: WindowSize
  readonly #waiting = new Set<Request>()
  #requests = 0
  #bytes = 0
  #frames = 0

  constructor(size: WindowSize) {
    this.#size = {
      requests: Math.max(1, size.requests),
      bytes: Math.max(1, size.bytes),
      frames: Math.max(1, size.frames),
      frameBytes: size.frameBytes
    }
  }

  /**
   * Runs `effect` when there is room for a request of so many bytes. Once it runs it goes on to its end when nobody waits for
   * it any more: what was sent is under way until it is answered.
   */
  within<A, E, R>(bytes: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) => {
      const request = this.#request(bytes)
      const leave = Effect.sync(() => this.#leave(request))
      // Whether it entered is asked when it leaves, since an interruption may come between entering and going on.
      return restore(this.#enter(request)).pipe(
        Effect.onInterrupt(() => leave),
        Effect.andThen(
          Effect.forkDetach(Effect.ensuring(Effect.interruptible(effect), leave), { startImmediately: true })
        ),
        Effect.flatMap((running) => restore(Fiber.join(running)))
      )
    })
  }

  #request(bytes: number): Request {
    const { bytes: maxBytes, frameBytes, frames } = this.#size
    return {
      bytes: Math.min(bytes, maxBytes),
      frames: Math.min(Math.max(1, Math.ceil(bytes / frameBytes)), frames),
      entered: false,
      enter: () => {}
    }
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
      this.#frames -= request.frames
    }
    this.#admit()
  }

  #admit(): void {
    for (const request of this.#waiting) {
      if (!this.#hasRoom(request)) return
      this.#waiting.delete(request)
      this.#requests++
      this.#bytes += request.bytes
      this.#frames += request.frames
      request.entered = true
      request.enter()
    }
  }

  #hasRoom(request: Request): boolean {
    const { bytes, frames, requests } = this.#size
    return this.#requests < requests && this.#bytes + request.bytes <= bytes && this.#frames + request.frames <= frames
  }
}
