import { Context, type Effect } from "effect"

/** What the page shows of its connection to the server. */
export interface SyncStatus {
  readonly connection: "offline" | "connecting" | "online" | "closed"
  /** Whether everything that the store held was received; `undefined` where the client isn't told. */
  readonly caughtUp: boolean | undefined
  /** Events written here that the server hasn't confirmed. */
  readonly pendingWrites: number
  /** Whether there may be more of them, left by an earlier visit. */
  readonly mayBeMore: boolean
  /** The last sequence that was received; 0 before any. */
  readonly cursor: number
  readonly lastError: string | undefined
}

/** Keeps the journal in sync with the server, in one of two ways: see `eventLogSync.ts` and `effectSync.ts`. */
export class Sync extends Context.Service<
  Sync,
  {
    readonly status: () => SyncStatus
    readonly subscribe: (listener: (status: SyncStatus) => void) => void
    /** Connects now, whatever it is waiting for. */
    readonly reconnect: Effect.Effect<void>
  }
>()("todo/Sync") {}
