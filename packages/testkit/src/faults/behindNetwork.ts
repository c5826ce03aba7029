import type { Backend } from "@eventlog-server/core"
import { Effect } from "effect"
import { awayFrom, type Trouble, troubledBackend } from "./trouble.ts"

/** A backend that can be cut off. */
export interface BackendBehindNetwork extends Backend {
  readonly outage: {
    readonly begin: () => Promise<void>
    readonly end: () => Promise<void>
  }
}

/**
 * The same backend behind a network that can be cut: calls fail while it is, and streams end when it is. The first commit of
 * an outage is done, and nobody learns of it.
 */
export const behindNetwork = (backend: Backend): BackendBehindNetwork => {
  const listeners = new Set<() => void>()
  let isUp = true
  let losesAnswer = false

  const loss = (member: string): Effect.Effect<never, unknown> =>
    Effect.callback((resume) => {
      const lose = () => resume(Effect.fail(awayFrom(member)))
      listeners.add(lose)
      // It may have been lost before anybody listened.
      if (!isUp) lose()
      return Effect.sync(() => listeners.delete(lose))
    })

  const befalls = (member: string): Trouble => {
    const lost = Effect.fail(awayFrom(member))
    if (member === "FeedStore.append" && losesAnswer) {
      losesAnswer = false
      return { after: lost }
    }
    return isUp ? { during: loss(member) } : { before: lost }
  }

  return {
    ...troubledBackend(backend, befalls),
    outage: {
      begin: async () => {
        isUp = false
        losesAnswer = true
        for (const lose of [...listeners]) lose()
      },
      end: async () => {
        isUp = true
        losesAnswer = false
      }
    }
  }
}
