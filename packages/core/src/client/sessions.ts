import { Effect } from "effect"
import type { Session } from "./session.ts"

/** The session there is now, if any. Work that outlives a connection waits here for the next one. */
export class Sessions {
  #current: Session | undefined
  readonly #waiting = new Set<() => void>()

  /** The live session. */
  get current(): Session | undefined {
    return this.#current
  }

  /** A session began, or ended. */
  set(session: Session | undefined): void {
    this.#current = session
    for (const look of [...this.#waiting]) look()
  }

  /** The live session as soon as it is one that `accepts`. */
  next(accepts: (session: Session) => boolean): Effect.Effect<Session> {
    return Effect.callback<Session>((resume) => {
      const look = () => {
        const session = this.#current
        // One that ended stays until its connection is torn down.
        if (session === undefined || !session.live || !accepts(session)) return
        this.#waiting.delete(look)
        resume(Effect.succeed(session))
      }
      this.#waiting.add(look)
      look()
      return Effect.sync(() => {
        this.#waiting.delete(look)
      })
    })
  }
}
