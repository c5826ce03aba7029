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
    Effect.suspend(() => {
      // Set as soon as the lock is held, so that it is given back even when the wait is interrupted at that moment.
      let release = () => {}
      const acquired = Effect.callback<void>((resume, signal) => {
        const hold = (done: () => void) => {
          release = done
          resume(Effect.void)
        }
        const held = navigator.locks.request(name, { signal }, () => new Promise<void>(hold))
        // Refused when the wait was interrupted, and where an origin may have no locks.
        held.catch((error) => resume(Effect.die(error)))
      })
      return Effect.ensuring(
        Effect.andThen(acquired, effect),
        Effect.sync(() => release())
      )
    })

const makeLocalLock = (): WithLock => {
  const locks = new Map<EventLogMessage.StoreId, Semaphore.Semaphore>()
  return (storeId) => {
    const lock = locks.get(storeId) ?? Semaphore.makeUnsafe(1)
    locks.set(storeId, lock)
    return lock.withPermit
  }
}
