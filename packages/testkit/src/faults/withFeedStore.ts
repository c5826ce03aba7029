import type { Backend } from "@eventlog-server/core"
import { FeedAdmin, FeedStore } from "@eventlog-server/core/backend"
import { Effect, Layer } from "effect"

type Members = FeedStore["Service"]

/** The same backend with members of its feed store wrapped: a real storage that fails, waits or counts where told. */
export const withFeedStore = <T>(backend: Backend<T>, wrap: (store: Members) => Partial<Members>): Backend<T> => ({
  ...backend,
  layer: Layer.effect(
    FeedStore,
    Effect.map(FeedStore, (store) => ({ ...store, ...wrap(store) }))
  ).pipe(Layer.provideMerge(backend.layer))
})

/** A backend whose `FeedAdmin` has some members replaced. */
export const withFeedAdmin = (
  backend: Backend,
  wrap: (admin: FeedAdmin["Service"]) => Partial<FeedAdmin["Service"]>
): Backend => ({
  layer: Layer.effect(
    FeedAdmin,
    Effect.map(FeedAdmin, (admin) => ({ ...admin, ...wrap(admin) }))
  ).pipe(Layer.provideMerge(backend.layer))
})
