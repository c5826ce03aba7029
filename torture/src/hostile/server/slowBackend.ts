import { type Backend, FeedStore } from "@eventlog-server/core"
import { Context, Effect, Layer } from "effect"

/** A backend whose appends take longer than they would. Everything is done by the real one. @param delay milliseconds */
export const slowBackend = (backend: Backend<unknown>, delay: number): Backend<unknown> => ({
  ...backend,
  layer: Layer.effectContext(
    Effect.map(Layer.build(backend.layer), (services) => {
      const store = Context.get(services, FeedStore)
      return Context.add(services, FeedStore, {
        ...store,
        append: (...args) => Effect.delay(store.append(...args), delay)
      })
    })
  )
})
