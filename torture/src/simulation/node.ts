import { type Backend, groupCompaction, keepLast, type ServerOptions } from "@eventlog-server/core"
import { EventLogServerUnencrypted, layer, layerAuthAllowAll } from "@eventlog-server/core/effect"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { EventLog } from "effect/eventlog"
import type { Recorder } from "../recorder.ts"
import { Facts, Notes, Secrets, serverSchema } from "../schema.ts"
import { idOf } from "../seen.ts"
import type { Leases } from "./leases.ts"
import type { NodeState } from "./nodeState.ts"
import { troubledBackend } from "./troubledBackend.ts"

/** One life of a server. */
export interface Node {
  readonly state: NodeState
  readonly server: EventLogServerUnencrypted["Service"]
  /** Ends it as a deploy does. */
  readonly close: Effect.Effect<void>
}

/** Small enough for every bound to be met with a few entries. */
const options: ServerOptions = {
  sessionAuth: "off",
  limits: {
    maxPageEntries: 3,
    maxPageBytes: 2_000,
    maxAppendEntries: 8,
    outboundHighWaterBytes: 4_000,
    maxBatchEntries: 10
  },
  sweepInterval: "5 seconds",
  reauthorizeInterval: "2 seconds",
  pingInterval: "4 seconds",
  pingTimeout: "2 seconds",
  handlerTimeout: "1 second",
  retry: { attempts: 1 },
  ignoredEvents: Object.keys(Secrets.events),
  drainTimeout: "3 seconds"
}

type Input = {
  readonly storeId: string
  readonly entry: Entry
  readonly conflicts: ReadonlyArray<{ readonly entry: Entry }>
}
type Entry = { readonly id: Uint8Array; readonly event: string }

/** Handlers that take their time and write down what they ran for. */
const makeHandlers = (state: NodeState, recorder: Recorder) => {
  const handled = ({ conflicts, entry, storeId }: Input) => {
    const flunk = Effect.sync(() => {
      recorder.record({ kind: "flunked", store: storeId, run: state.run, id: idOf(entry.id) })
    })
    const handle = Effect.gen(function* () {
      yield* state.moving
      recorder.record({
        kind: "handled",
        store: storeId,
        run: state.run,
        id: idOf(entry.id),
        conflicts: conflicts.map((conflict) => idOf(conflict.entry.id))
      })
      yield* state.delay
      if (entry.event !== "Failed" && entry.event !== "Hung") return
      yield* flunk
      if (entry.event === "Failed") return yield* Effect.die(new Error("the handler fails"))
      return yield* Effect.never
    })
    // The time of a handler runs out while its node stands still: the clock is that of the whole simulation.
    return Effect.onInterrupt(handle, () => flunk)
  }
  const facts = EventLog.group(Facts, (group) =>
    group.handle("Added", handled).handle("Changed", handled).handle("Failed", handled).handle("Hung", handled)
  )
  return Layer.merge(
    facts,
    EventLog.group(Notes, (group) => group.handle("Noted", handled))
  )
}

/** Starts a server on the shared backend, as it looks from this life. */
export const startNode = Effect.fnUntraced(function* (
  state: NodeState,
  backend: Backend,
  leases: Leases,
  recorder: Recorder,
  /** How old entries must be to be compacted, in milliseconds: a deploy may change it. */
  olderThan: number,
  /** Whether compaction is given all old entries, or the last ones alone. What comes out is the same. */
  isGivenAll: boolean
) {
  const scope = yield* Scope.make()
  const compact = keepLast()
  const server = groupCompaction(Notes, { olderThan }, isGivenAll ? (input) => compact(input) : compact).pipe(
    Layer.provideMerge(layer(serverSchema, makeHandlers(state, recorder), options)),
    Layer.provide([troubledBackend(backend, state, leases).layer, layerAuthAllowAll])
  )
  const context = yield* Layer.buildWithScope(server, scope)
  const node: Node = {
    state,
    server: Context.get(context, EventLogServerUnencrypted),
    close: Scope.close(scope, Exit.void)
  }
  return node
})
