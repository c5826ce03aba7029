import { Effect } from "effect"
import { type DomainError, reasonOf } from "../wire/errors.ts"
import type { ErrorReason } from "../wire/messages.ts"

/** How often refusals for one reason are logged. */
const pauseMillis = 60_000

/** What was logged of one reason. */
interface Logged {
  at: number
  /** Refusals since. */
  count: number
}

/** What every device is told of a server that ends is no news of any of them. */
const isNews = (reason: ErrorReason): boolean => reason !== "ShuttingDown"

/** What refusals are logged with. */
export interface RefusalLogOptions {
  readonly now: () => number
  /** Whether devices that were never seen before get a store. */
  readonly canEnroll: boolean
}

/**
 * Logs why devices are refused: each reason once a minute at most, with how many there were since, so that no device fills
 * a disk.
 */
export class RefusalLog {
  readonly #options: RefusalLogOptions
  /** By reason, of which there are a dozen. */
  readonly #logged = new Map<ErrorReason, Logged>()

  constructor(options: RefusalLogOptions) {
    this.#options = options
  }

  /** The line to log for a refusal, if any. */
  line(error: DomainError, publicKey: string | undefined): Effect.Effect<void> | undefined {
    const reason = reasonOf(error)
    if (!isNews(reason)) return undefined
    const now = this.#options.now()
    const before = this.#logged.get(reason)
    // A clock that was set back must not keep it quiet.
    if (before !== undefined && now >= before.at && now - before.at < pauseMillis) {
      before.count++
      return undefined
    }
    this.#logged.set(reason, { at: now, count: 0 })
    return Effect.annotateLogs(Effect.logWarning(this.#textOf(reason, error, before)), { publicKey })
  }

  #textOf(reason: ErrorReason, { message }: DomainError, before: Logged | undefined): string {
    const isFirst = before === undefined
    return [
      `A device is refused: ${reason}.`,
      `${message}.`,
      ...(isFirst && reason === "NotMapped" && !this.#options.canEnroll ? [noEnroll] : []),
      ...(before !== undefined && before.count > 0 ? [`${before.count} more were, since this was logged last.`] : [])
    ].join(" ")
  }
}

const noEnroll =
  "The server has no `enroll`, so only keys that `assign` was called with have a store: give it one, or assign the key."
