import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { type EventJournal, EventLog } from "effect/eventlog"
import { EventLogServerUnencrypted, layer, layerAuthAllowAll, type StoreId } from "../../effect.ts"
import type { ServerOptions } from "../../index.ts"
import type { Node } from "../harness.ts"
import { Notes, schema } from "./notes.ts"

/** A server under test. */
export type Server = EventLogServerUnencrypted["Service"]

/** What a handler is called with. */
export interface Handled {
  readonly storeId: StoreId
  readonly entry: EventJournal.Entry
  readonly text: string
  /** The texts of the conflicts, in the order that the handler was given them. */
  readonly conflicts: ReadonlyArray<string>
}

/** How a server differs from one that accepts everything and whose handlers do nothing. */
export interface Setup extends ServerOptions {
  /** Called for every entry that reaches a handler. */
  readonly handle?: ((handled: Handled) => Effect.Effect<void>) | undefined
  readonly compaction?: ReadonlyArray<Layer.Layer<never, never, EventLogServerUnencrypted>> | undefined
}

const layerHandlers = (handle: NonNullable<Setup["handle"]>) =>
  EventLog.group(Notes, (on) => {
    const handled = (input: {
      readonly storeId: StoreId
      readonly entry: EventJournal.Entry
      readonly payload: { readonly text: string }
      readonly conflicts: ReadonlyArray<{ readonly payload: { readonly text: string } }>
    }) =>
      handle({
        storeId: input.storeId,
        entry: input.entry,
        text: input.payload.text,
        conflicts: input.conflicts.map(({ payload }) => payload.text)
      })
    return on.handle("NoteWritten", handled).handle("NoteTagged", handled)
  })

/**
 * Starts a server on a node of the backend, which stays open when the server closes. Keys need no proof, and what other
 * nodes changed is noticed soon, unless told otherwise. It logs nothing: what a test provokes is no news.
 */
const build = (node: Node, { compaction = [], handle = () => Effect.void, ...options }: Setup) =>
  Layer.mergeAll(Layer.empty, ...compaction).pipe(
    Layer.provideMerge(
      layer(schema, layerHandlers(handle), { sessionAuth: "off", reauthorizeInterval: 50, ...options })
    ),
    Layer.provide([Layer.succeedContext(node.services), layerAuthAllowAll, Logger.layer([])]),
    Layer.build,
    Effect.map((services) => Context.get(services, EventLogServerUnencrypted))
  )

/** A server, and a way to close it before the test is over. */
export const startClosableServer = Effect.fnUntraced(function* (node: Node, setup: Setup = {}) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const server = yield* Scope.provide(build(node, setup), scope)
  return { server, close: Scope.close(scope, Exit.void) }
})

/** A server that runs until the test is over. */
export const startServer = (node: Node, setup: Setup = {}): Effect.Effect<Server, never, Scope.Scope> =>
  build(node, setup)
