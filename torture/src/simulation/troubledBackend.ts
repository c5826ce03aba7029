import { type Backend, EventLogServerStoreRegistryError, StorageError } from "@eventlog-server/core"
import {
  compareAll,
  EventLogServerStoreRegistry,
  type Failures,
  FeedAdmin,
  FeedStore,
  type KnownEntry,
  StoreProgress
} from "@eventlog-server/core/backend"
import type { StoreId } from "@eventlog-server/core/effect"
import { Context, Effect, Layer, Option, Stream } from "effect"
import type { Leases } from "./leases.ts"
import type { NodeState } from "./nodeState.ts"
import type { Member } from "./scenario.ts"

const away = (member: Member): StorageError =>
  new StorageError({ operation: member, retryable: true, cause: new Error("the database is away") })

/** A call that takes its time, and fails when the node's plans say so, before or after it did its work. */
const troubled = <A, E, R, E2>(
  node: NodeState,
  member: Member,
  call: Effect.Effect<A, E, R>,
  failure: (member: Member) => E2
): Effect.Effect<A, E | E2, R> =>
  Effect.gen(function* () {
    yield* node.delay
    const trouble = node.takePlan(member)
    if (trouble === "slow") yield* node.slow
    if (trouble === "before") return yield* Effect.fail(failure(member))
    const answer = yield* call
    yield* node.delay
    if (trouble === "after") return yield* Effect.fail(failure(member))
    return answer
  })

/** The primary key of entries that the backend can't take. */
export const poison = "poison"

const corrupt = new StorageError({ operation: "FeedStore.append", retryable: false, cause: new Error("poison") })

const refusingPoison =
  (append: FeedStore["Service"]["append"]): FeedStore["Service"]["append"] =>
  (storeId, records, known) =>
    records.some(({ entry }) => entry.primaryKey === poison) ? Effect.fail(corrupt) : append(storeId, records, known)

const feedStore = (node: NodeState, store: FeedStore["Service"]): FeedStore["Service"] => ({
  append: (...args) => troubled(node, "FeedStore.append", refusingPoison(store.append)(...args), away),
  read: (...args) => troubled(node, "FeedStore.read", store.read(...args), away),
  bucket: (...args) => troubled(node, "FeedStore.bucket", store.bucket(...args), away),
  bucketBounds: (...args) => troubled(node, "FeedStore.bucketBounds", store.bucketBounds(...args), away),
  head: (...args) => troubled(node, "FeedStore.head", store.head(...args), away),
  survivors: store.survivors,
  wakeups: (storeId) =>
    store.wakeups(storeId).pipe(
      Stream.tap(() => node.delay),
      Stream.interruptWhen(Effect.andThen(node.whenDeafened, Effect.fail(away("FeedStore.read"))))
    )
})

const troubledFailures = (node: NodeState, failures: Failures): Failures => {
  const asked = <A>(call: Effect.Effect<A, StorageError>) => troubled(node, "StoreProgress.failures", call, away)
  return {
    record: (...args) => asked(failures.record(...args)),
    list: (...args) => asked(failures.list(...args)),
    retry: (...args) => asked(failures.retry(...args)),
    settle: (...args) => asked(failures.settle(...args))
  }
}

const storeProgress = (
  node: NodeState,
  leases: Leases,
  services: Context.Context<FeedAdmin | StoreProgress>
): StoreProgress["Service"] => {
  const { failures, raiseCutoffs, rewind } = Context.get(services, StoreProgress)
  const cursors = (storeIds: ReadonlyArray<StoreId>) =>
    Effect.sync(() => storeIds.map((storeId) => leases.cursor(storeId)))
  const behind = compareAll(Context.get(services, FeedAdmin), cursors)
  return {
    lease: (storeId) =>
      troubled(node, "StoreProgress.lease", leases.lease(node, storeId), away).pipe(
        Effect.map(
          Option.map((lease) => ({
            ...lease,
            advance: (processed: KnownEntry) => troubled(node, "StoreProgress.advance", lease.advance(processed), away)
          }))
        )
      ),
    cursors: (storeIds) => troubled(node, "StoreProgress.cursors", cursors(storeIds), away),
    behind: (...args) => troubled(node, "StoreProgress.behind", behind(...args), away),
    raiseCutoffs: (...args) => troubled(node, "StoreProgress.raiseCutoffs", raiseCutoffs(...args), away),
    failures: troubledFailures(node, failures),
    rewind
  }
}

const unavailable = () => new EventLogServerStoreRegistryError({ reason: "Unavailable" })

const storeRegistry = (
  node: NodeState,
  registry: EventLogServerStoreRegistry["Service"]
): EventLogServerStoreRegistry["Service"] => ({
  ...registry,
  resolve: (publicKey) => troubled(node, "Registry.resolve", registry.resolve(publicKey), unavailable)
})

/** A backend as one life of a server sees it: slow, failing, and with leases that are lost. */
export const troubledBackend = (backend: Backend, node: NodeState, leases: Leases): Backend => ({
  layer: Layer.effectContext(
    Effect.map(Layer.build(backend.layer), (services) =>
      Context.empty().pipe(
        Context.add(FeedStore, feedStore(node, Context.get(services, FeedStore))),
        Context.add(FeedAdmin, Context.get(services, FeedAdmin)),
        Context.add(StoreProgress, storeProgress(node, leases, services)),
        Context.add(
          EventLogServerStoreRegistry,
          storeRegistry(node, Context.get(services, EventLogServerStoreRegistry))
        )
      )
    )
  )
})
