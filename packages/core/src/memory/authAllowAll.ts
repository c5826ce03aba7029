import { Effect, Layer } from "effect"
import { EventLogServerAuth } from "../backend/EventLogServerAuth.ts"

/** Lets every client do everything in the store that its key is mapped to: for tests and trusted networks. */
export const layerAuthAllowAll: Layer.Layer<EventLogServerAuth> = Layer.succeed(EventLogServerAuth, {
  authorizeWrite: () => Effect.void,
  authorizeRead: () => Effect.void
})
