import { Context, Effect, Layer, Option, Stream } from "effect"
import {
  type Backend,
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  FeedAdmin,
  FeedStore,
  StorageError,
  StoreProgress
} from "../../src/index.ts"

/** How a member of a port fails: for now, for good, by breaking its word, or after it did what it was asked. */
export const faultKinds = ["retryable", "final", "defect", "afterwards"] as const
export type FaultKind = (typeof faultKinds)[number]

/** The `nth` call (from 1) of a member fails. */
export interface Fault {
  readonly member: string
  readonly nth: number
  readonly kind: FaultKind
}

const failureOf = (member: string, kind: FaultKind): Effect.Effect<never, unknown> => {
  const cause = new Error("the backend is away")
  if (kind === "defect") return Effect.die(cause)
  return Effect.fail(
    member.startsWith("Registry")
      ? new EventLogServerStoreRegistryError({ reason: "Unavailable", cause })
      : new StorageError({ operation: member, retryable: kind !== "final", cause })
  )
}

type Anything = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

/** A backend that counts the calls of every member of every port, and lets one of them fail. */
export const faultyBackend = (backend: Backend, fault?: Fault) => {
  const calls = new Map<string, number>()

  /** What fails this call, if it is to fail. */
  const count = (member: string): FaultKind | undefined => {
    const nth = (calls.get(member) ?? 0) + 1
    calls.set(member, nth)
    return fault?.member === member && fault.nth === nth ? fault.kind : undefined
  }

  const intercept = (member: string, call: () => Anything): Anything => {
    const made = call()
    if (Stream.isStream(made)) {
      return Stream.suspend(() => {
        const kind = count(member)
        if (kind === undefined) return made
        const failure = Stream.fromEffect(failureOf(member, kind))
        return kind === "afterwards" ? Stream.concat(Stream.take(made, 1), failure) : failure
      })
    }
    return Effect.suspend(() => {
      const kind = count(member)
      if (kind === undefined) return Effect.map(made, (answer) => deeper(member, answer))
      const failure = failureOf(member, kind)
      return kind === "afterwards" ? Effect.andThen(made, failure) : failure
    })
  }

  /** A lease has a member of its own. */
  const deeper = (member: string, answer: unknown): unknown =>
    member === "Progress.lease" ? Option.map(answer as Option.Option<object>, (lease) => wrap(member, lease)) : answer

  const wrap = <Service extends object>(name: string, service: Service): Service =>
    Object.fromEntries(
      Object.entries(service).map(([key, value]) => {
        const member = `${name}.${key}`
        if (typeof value === "function") {
          return [key, (...args: ReadonlyArray<unknown>) => intercept(member, () => value(...args))]
        }
        return [key, Effect.isEffect(value) ? intercept(member, () => value as Anything) : value]
      })
    ) as Service

  const layer = Layer.effectContext(
    Effect.map(Layer.build(backend.layer), (services) =>
      Context.empty().pipe(
        Context.add(FeedStore, wrap("FeedStore", Context.get(services, FeedStore))),
        Context.add(FeedAdmin, wrap("FeedAdmin", Context.get(services, FeedAdmin))),
        Context.add(StoreProgress, wrap("Progress", Context.get(services, StoreProgress))),
        Context.add(EventLogServerStoreRegistry, wrap("Registry", Context.get(services, EventLogServerStoreRegistry)))
      )
    )
  )
  return { backend: { layer } satisfies Backend, calls }
}
