import { Effect, Semaphore } from "effect"
import type { EventJournal, EventLogMessage } from "effect/eventlog"

type WithLock = EventJournal.EventJournal["Service"]["withLock"]

/**
 * Locks of the stores of a database: among all tabs where the runtime has Web Locks, else in this one. They have the names
 * that effect's journal gives them, so that a tab with that one keeps out of the way, too.
 */
export const makeBrowserLock = (database: string): WithLock =>
  typeof navigator !== "undefined" && navigator.locks !== undefined
    ? (storeId) => withWebLock(`${database}/${storeId}`)
    : makeLocalLock()

const withWebLock =
  (name: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      acquire(name),
      () => effect,
      (release) => Effect.sync(release)
    )

/** Waits for a Web Lock; what it returns gives it back. */
const acquire = (name: string): Effect.Effect<() => void> =>
  Effect.callback((resume, signal) => {
    const held = navigator.locks.request(
      name,
      { signal },
      () => new Promise<void>((release) => resume(Effect.succeed(release)))
    )
    // Refused when the wait was interrupted, and where an origin may have no locks.
    held.catch((error) => resume(Effect.die(error)))
  })

const makeLocalLock = (): WithLock => {
  const locks = new Map<EventLogMessage.StoreId, Semaphore.Semaphore>()
  return (storeId) => {
    const lock = locks.get(storeId) ?? Semaphore.makeUnsafe(1)
    locks.set(storeId, lock)
    return lock.withPermit
  }
}
