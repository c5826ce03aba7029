import { Effect, Fiber, Metric } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import { runDetached } from "../containment/runDetached.ts"
import { type ActiveStore, makeActiveStore } from "./activeStore.ts"
import type { Environment } from "./environment.ts"
import { processingStores } from "./metrics.ts"
import { runStore } from "./worker.ts"

/** The stores that this node looks after, each with a fiber of its own for as long as it has something to do. */
export interface Workers {
  /** Looks after a store, now or again. It returns at once. */
  readonly look: (storeId: StoreId, options: { readonly lingers: boolean }) => void
  readonly size: () => number
  /** Takes no more stores, interrupts what can be, and waits up to `millis` for the rest. */
  readonly stop: (millis: number) => Effect.Effect<void>
}

export const makeWorkers = (environment: Environment): Effect.Effect<Workers> =>
  Effect.map(Effect.context<never>(), (context) => {
    const run = Effect.runForkWith(context)
    const stores = new Map<StoreId, ActiveStore>()
    const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
    let isStopped = false

    const leave = (store: ActiveStore): void => {
      if (stores.get(store.storeId) === store) stores.delete(store.storeId)
    }

    const retire = (store: ActiveStore): boolean => {
      if (store.isNudged()) return false
      leave(store)
      return true
    }

    const start = (storeId: StoreId): ActiveStore => {
      const store = Effect.runSync(makeActiveStore(storeId))
      stores.set(storeId, store)
      const fiber = run(
        Metric.modify(processingStores, 1).pipe(
          Effect.andThen(runStore(environment, store, () => retire(store))),
          Effect.ensuring(
            Effect.andThen(
              Effect.sync(() => leave(store)),
              Metric.modify(processingStores, -1)
            )
          )
        )
      )
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
      return store
    }

    return {
      look: (storeId, { lingers }) => {
        if (isStopped) return
        const store = stores.get(storeId) ?? start(storeId)
        if (lingers) store.lingers = true
        store.nudge()
      },
      size: () => stores.size,
      stop: (millis) =>
        Effect.suspend(() => {
          isStopped = true
          for (const fiber of fibers) fiber.interruptUnsafe()
          return runDetached(Fiber.awaitAll(fibers), Effect.sleep(millis))
        })
    }
  })
