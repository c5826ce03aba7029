import { Context, Effect, Layer, Option, Stream } from "effect"
import type { BackendServices } from "../../src/backend/Backend.ts"
import {
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError
} from "../../src/backend/EventLogServerStoreRegistry.ts"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import type { Outage } from "../../src/conformance/index.ts"

const connectionLost = new Error("the connection was lost")
const storageLost = new StorageError({ operation: "any", retryable: true, cause: connectionLost })
const registryLost = new EventLogServerStoreRegistryError({ reason: "Unavailable", cause: connectionLost })

/** The network between a node and its storage. */
class Network implements Outage {
  private isUp = true
  private losesAnAnswer = false
  private readonly listeners = new Set<() => void>()

  readonly begin = async (): Promise<void> => {
    this.isUp = false
    this.losesAnAnswer = true
    for (const lose of [...this.listeners]) lose()
  }

  readonly end = async (): Promise<void> => {
    this.isUp = true
    this.losesAnAnswer = false
  }

  call<A, E, R, F>(call: Effect.Effect<A, E, R>, lost: F): Effect.Effect<A, E | F, R> {
    return Effect.suspend((): Effect.Effect<A, E | F, R> => (this.isUp ? call : Effect.fail(lost)))
  }

  /** The first commit of an outage is done, and nobody learns of it. */
  commit<A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | StorageError, R> {
    return Effect.suspend(() => {
      if (!this.losesAnAnswer) return this.call(call, storageLost)
      this.losesAnAnswer = false
      return Effect.andThen(call, Effect.fail(storageLost))
    })
  }

  /** Fails when the connection is lost. */
  readonly loss: Effect.Effect<never, StorageError> = Effect.callback((resume) => {
    const lose = () => resume(Effect.fail(storageLost))
    this.listeners.add(lose)
    return Effect.sync(() => this.listeners.delete(lose))
  })
}

/** Every member of a service, over the network. */
const remote = <S extends object, E>(service: S, network: Network, lost: E): S =>
  Object.fromEntries(
    Object.entries(service).map(([name, member]) => [
      name,
      typeof member === "function"
        ? (...args: ReadonlyArray<unknown>) => network.call(member(...args), lost)
        : network.call(member, lost)
    ])
  ) as S

const remoteFeeds = (feeds: FeedStore["Service"], network: Network): FeedStore["Service"] => ({
  ...remote(feeds, network, storageLost),
  append: (...args) => network.commit(feeds.append(...args)),
  wakeups: (storeId) =>
    Stream.unwrap(network.call(Effect.succeed(feeds.wakeups(storeId)), storageLost)).pipe(
      Stream.interruptWhen(network.loss)
    )
})

const remoteProgress = (progress: StoreProgress["Service"], network: Network): StoreProgress["Service"] => ({
  ...remote(progress, network, storageLost),
  lease: (storeId) =>
    Effect.map(
      network.call(progress.lease(storeId), storageLost),
      Option.map(({ advance, cursor }) => ({
        cursor,
        advance: (sequence) => network.call(advance(sequence), storageLost)
      }))
    )
})

const remoteRegistry = (
  registry: EventLogServerStoreRegistry["Service"],
  network: Network
): EventLogServerStoreRegistry["Service"] => ({
  ...remote(registry, network, registryLost),
  changes: Stream.unwrap(network.call(Effect.succeed(registry.changes), registryLost)).pipe(
    Stream.interruptWhen(Effect.mapError(network.loss, () => registryLost))
  )
})

/** The same backend behind a network that can be cut. */
export const behindNetwork = (
  layer: Layer.Layer<BackendServices>
): { readonly layer: Layer.Layer<BackendServices>; readonly outage: Outage } => {
  const network = new Network()
  const wrap = (services: Context.Context<BackendServices>): Context.Context<BackendServices> =>
    services.pipe(
      Context.add(FeedStore, remoteFeeds(Context.get(services, FeedStore), network)),
      Context.add(FeedAdmin, remote(Context.get(services, FeedAdmin), network, storageLost)),
      Context.add(StoreProgress, remoteProgress(Context.get(services, StoreProgress), network)),
      Context.add(
        EventLogServerStoreRegistry,
        remoteRegistry(Context.get(services, EventLogServerStoreRegistry), network)
      )
    )
  return { layer: Layer.effectContext(Effect.map(Layer.build(layer), wrap)), outage: network }
}
