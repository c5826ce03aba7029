import { type Backend, EventLogServerStoreRegistryError, StorageError } from "@eventlog-server/core"
import {
  type BackendServices,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { Context, Effect, Layer, Option, Stream } from "effect"

/** What befalls a call of a port. */
export interface Trouble {
  /** Comes before the backend hears of the call, which fails with what this fails with. */
  readonly before?: Effect.Effect<void, unknown>
  /** Comes when the backend has done what it was asked, or a stream has given its first element. */
  readonly after?: Effect.Effect<void, unknown>
  /** Ends a stream with what it fails with. */
  readonly during?: Effect.Effect<never, unknown>
}

/**
 * What befalls a call of a member, asked once for each call. Members are called `FeedStore.append`, `FeedAdmin.heads`,
 * `Progress.lease`, `Progress.lease.advance`, `Registry.resolve` and so on.
 */
export type Befalls = (member: string) => Trouble

/** What a member fails with when the backend is away. */
export const awayFrom = (member: string, retryable = true): StorageError | EventLogServerStoreRegistryError => {
  const cause = new Error("the backend is away")
  return member.startsWith("Registry")
    ? new EventLogServerStoreRegistryError({ reason: "Unavailable", cause })
    : new StorageError({ operation: member, retryable, cause })
}

type Call = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

const isCall = (value: unknown): value is Call => Effect.isEffect(value) || Stream.isStream(value)

/** A service whose calls something may befall. */
const troubled = <Service extends object>(name: string, service: Service, befalls: Befalls): Service => {
  const around = (member: string, call: Call): Call => {
    if (!Stream.isStream(call)) {
      return Effect.suspend(() => {
        const { after = Effect.void, before = Effect.void } = befalls(member)
        return before.pipe(
          Effect.andThen(call),
          Effect.tap(after),
          Effect.map((answer) => deeper(member, answer))
        )
      })
    }
    return Stream.suspend(() => {
      const { after, before = Effect.void, during } = befalls(member)
      const ending = during === undefined ? call : Stream.interruptWhen(call, during)
      const made =
        after === undefined ? ending : Stream.concat(Stream.take(ending, 1), Stream.drain(Stream.fromEffect(after)))
      return Stream.unwrap(Effect.as(before, made))
    })
  }
  /** A lease has members of its own. */
  const deeper = (member: string, answer: unknown): unknown =>
    Option.isOption(answer)
      ? Option.map(answer, (lease) => (member.endsWith(".lease") ? troubled(member, lease as object, befalls) : lease))
      : answer
  return Object.fromEntries(
    Object.entries(service).map(([key, value]) => {
      const member = `${name}.${key}`
      if (isCall(value)) return [key, around(member, value)]
      // Failures are members of a member.
      if (typeof value === "object" && value !== null) return [key, troubled(member, value, befalls)]
      if (typeof value !== "function") return [key, value]
      return [key, (...args: ReadonlyArray<unknown>) => around(member, value(...args))]
    })
  ) as Service
}

/** The ports of a backend, whose calls something may befall. */
export const troubledServices = (
  services: Context.Context<BackendServices>,
  befalls: Befalls
): Context.Context<BackendServices> =>
  services.pipe(
    Context.add(FeedStore, troubled("FeedStore", Context.get(services, FeedStore), befalls)),
    Context.add(FeedAdmin, troubled("FeedAdmin", Context.get(services, FeedAdmin), befalls)),
    Context.add(StoreProgress, troubled("Progress", Context.get(services, StoreProgress), befalls)),
    Context.add(
      EventLogServerStoreRegistry,
      troubled("Registry", Context.get(services, EventLogServerStoreRegistry), befalls)
    )
  )

/** A real backend, whose calls something may befall. */
export const troubledBackend = <T>(backend: Backend<T>, befalls: Befalls): Backend<T> => ({
  ...backend,
  layer: Layer.effectContext(Effect.map(Layer.build(backend.layer), (services) => troubledServices(services, befalls)))
})
