import type { Layer } from "effect"
import type { EventGroup, EventLog } from "effect/eventlog"
import type { Backend, BackendServices } from "../backend/Backend.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"
import type { StoreReset } from "../processing/options.ts"
import type { AppLogger } from "./appLogger.ts"
import type { AsyncAuth, AsyncEnroll } from "./asyncAuth.ts"
import type { AsyncHandlers } from "./asyncHandlers.ts"
import type { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"
import type { ServerOptions } from "./options.ts"

/** What a server is made of. */
export interface CreateEventLogServerOptions<Groups extends EventGroup.Any, Transaction = undefined>
  extends ServerOptions {
  readonly schema: EventLog.EventLogSchema<Groups>
  /** One plain function for each event, or the `EventLog.group` layers that devices run. */
  readonly handlers:
    | AsyncHandlers<Groups, Transaction>
    | Layer.Layer<EventGroup.ToService<Groups>, never, EventLog.Registry>
  /** The storage, such as `memoryBackend()`. */
  readonly backend: Backend<Transaction>
  /** Where processing remembers how far it is; it may build on the backend's services. @default in the backend */
  readonly progress?: Layer.Layer<StoreProgress, never, BackendServices> | undefined
  /**
   * Compacts old history when it is read, such as
   * `[groupCompaction(Todos, { olderThan: "30 days" }, keepLast())]`, or by effect's own with `effectCompaction`.
   * @default everything is sent as it was written
   */
  readonly compaction?: ReadonlyArray<Layer.Layer<never, never, EventLogServerUnencrypted>> | undefined
  /** See `ServerOptions.onReset`; it is given the backend's transaction, as handlers are. */
  readonly onReset?: ((reset: StoreReset<Transaction>) => unknown) | undefined
  /** What clients may do. There is no default: `allowAll` must be written out. */
  readonly auth: AsyncAuth
  /** Names the store of a device that was never seen before. @default only assigned keys have a store */
  readonly enroll?: AsyncEnroll | undefined
  /** Where the server logs, such as Fastify's `app.log`. @default effect's logger, on the console */
  readonly logger?: AppLogger | undefined
}
