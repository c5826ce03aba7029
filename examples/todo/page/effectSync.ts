import { Deferred, Effect, Layer, Queue } from "effect"
import { EventJournal, EventLogRemote } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import type { PausableWebSocket } from "./PausableWebSocket.ts"
import { Sync, type SyncStatus } from "./Sync.ts"

const initial: SyncStatus = {
  connection: "offline",
  caughtUp: undefined,
  pendingWrites: 0,
  mayBeMore: true,
  cursor: 0,
  lastError: undefined
}

class StatusStore {
  #current = initial
  readonly #listeners = new Set<(status: SyncStatus) => void>()

  readonly status = (): SyncStatus => this.#current

  readonly subscribe = (listener: (status: SyncStatus) => void): void => {
    this.#listeners.add(listener)
  }

  set(change: Partial<SyncStatus>): void {
    this.#current = { ...this.#current, ...change }
    for (const listener of this.#listeners) listener(this.#current)
  }
}

/** Effect's remote on one websocket. `onClose` is called when that is gone. */
const layerRemote = (socket: PausableWebSocket, onClose: () => void) =>
  EventLogRemote.layerUnencrypted.pipe(
    Layer.provide(RpcClient.layerProtocolSocket()),
    Layer.provide(RpcSerialization.layerSchemaBinary()),
    Layer.provide(Socket.layerWebSocket(`${location.origin.replace(/^http/, "ws")}/eventlog/rpc`)),
    Layer.provide(
      Layer.succeed(Socket.WebSocketConstructor, (url) => {
        const opened = new socket.Class(url)
        opened.addEventListener("close", onClose)
        return opened
      })
    )
  )

/** How many local events a remote hasn't confirmed. Failing is how to look at them without confirming them. */
const countPending = (journal: EventJournal.EventJournal["Service"], remoteId: EventJournal.RemoteId) =>
  journal
    .withRemoteUncommited(remoteId, (entries) => Effect.fail(entries.length))
    .pipe(
      Effect.as(0),
      Effect.catch((error) => (typeof error === "number" ? Effect.succeed(error) : Effect.die(error)))
    )

/**
 * Effect's own client. It has no status, so the page keeps one. The remote is made anew for every connection: effect's
 * remembers which server it met first, and proofs that failed, for as long as it lives.
 */
export const layerEffectSync = (socket: PausableWebSocket) =>
  Layer.effect(
    Sync,
    Effect.gen(function* () {
      const journal = yield* EventJournal.EventJournal
      const reactivity = yield* Reactivity.Reactivity
      const store = new StatusStore()
      const reconnects = yield* Queue.sliding<void>(1)
      const looks = yield* Queue.sliding<void>(1)
      let remoteId: EventJournal.RemoteId | undefined

      const connect = Effect.gen(function* () {
        store.set({ connection: "connecting" })
        const closed = yield* Deferred.make<void>()
        const remote = yield* EventLogRemote.EventLogRemote.pipe(
          Effect.provide(yield* Layer.build(layerRemote(socket, () => Deferred.doneUnsafe(closed, Effect.void)))),
          Effect.raceFirst(
            Effect.andThen(Deferred.await(closed), Effect.fail(new Error("No connection to the server")))
          )
        )
        remoteId = remote.id
        store.set({ connection: "online", lastError: undefined })
        Queue.offerUnsafe(looks, undefined)
        yield* Deferred.await(closed)
      }).pipe(Effect.scoped)

      const connectUnlessPaused = Effect.suspend(() => (socket.paused ? Effect.void : connect)).pipe(
        Effect.catch((error) => Effect.sync(() => store.set({ lastError: error.message }))),
        Effect.ensuring(Effect.sync(() => store.set({ connection: "offline" })))
      )
      yield* connectUnlessPaused.pipe(
        Effect.andThen(Effect.timeoutOption(Queue.take(reconnects), "2 seconds")),
        Effect.forever,
        Effect.forkScoped
      )

      // Nothing tells when a write was confirmed: as long as some are on their way, it looks again.
      const look = Effect.gen(function* () {
        yield* Queue.take(looks)
        if (remoteId === undefined) return
        const pendingWrites = yield* countPending(journal, remoteId)
        const cursor = Math.max(0, (yield* journal.nextRemoteSequence(remoteId)) - 1)
        store.set({ pendingWrites, cursor, mayBeMore: false })
        if (pendingWrites === 0 || store.status().connection !== "online") return
        yield* Effect.sleep("100 millis")
        Queue.offerUnsafe(looks, undefined)
      })
      yield* Effect.forkScoped(Effect.forever(look))
      const unregister = reactivity.registerUnsafe(["todos"], () => Queue.offerUnsafe(looks, undefined))
      yield* Effect.addFinalizer(() => Effect.sync(unregister))

      return {
        status: store.status,
        subscribe: store.subscribe,
        reconnect: Effect.asVoid(Queue.offer(reconnects, undefined))
      }
    })
  )
