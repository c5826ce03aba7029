import { Effect, Layer } from "effect"
import type { Backend } from "../../src/index.ts"
import { FeedStore } from "../../src/index.ts"

type Members = FeedStore["Service"]

/** The same backend with members of its feed store wrapped: a real storage that fails, waits or counts where told. */
export const withFeedStore = (backend: Backend, wrap: (store: Members) => Partial<Members>): Backend => ({
  layer: Layer.effect(
    FeedStore,
    Effect.map(FeedStore, (store) => ({ ...store, ...wrap(store) }))
  ).pipe(Layer.provideMerge(backend.layer))
})
