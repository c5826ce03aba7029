import { Deferred, Effect, type Scope } from "effect"
import type { StoreId } from "../backend/StoreId.ts"

interface Waiter {
  readonly sequence: number
  readonly arrived: Deferred.Deferred<void>
}

/** Tells those who wait for a store's cursor that this node moved it. */
export interface Arrivals {
  /** An effect that ends when this node has moved the cursor to `sequence` or beyond, from now until the scope closes. */
  readonly at: (storeId: StoreId, sequence: number) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
  /** The cursor was moved. */
  readonly moved: (storeId: StoreId, cursor: number) => void
  /** Stores that somebody waits for. */
  readonly size: () => number
}

export const makeArrivals = (): Arrivals => {
  const stores = new Map<StoreId, Set<Waiter>>()

  const add = (storeId: StoreId, waiter: Waiter): void => {
    const waiters = stores.get(storeId)
    if (waiters === undefined) stores.set(storeId, new Set([waiter]))
    else waiters.add(waiter)
  }

  const remove = (storeId: StoreId, waiter: Waiter): void => {
    const waiters = stores.get(storeId)
    waiters?.delete(waiter)
    if (waiters?.size === 0) stores.delete(storeId)
  }

  return {
    at: (storeId, sequence) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const waiter = { sequence, arrived: Deferred.makeUnsafe<void>() }
          add(storeId, waiter)
          return waiter
        }),
        (waiter) => Effect.sync(() => remove(storeId, waiter))
      ).pipe(Effect.map(({ arrived }) => Deferred.await(arrived))),
    moved: (storeId, cursor) => {
      for (const { arrived, sequence } of Array.from(stores.get(storeId) ?? [])) {
        if (sequence <= cursor) Deferred.doneUnsafe(arrived, Effect.void)
      }
    },
    size: () => stores.size
  }
}
