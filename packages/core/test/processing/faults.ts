import { Context, Effect, Option, Stream } from "effect"
import type { BackendServices } from "../../src/backend/Backend.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"

/** The calls that a fault can meet, those of a lease included. */
export type Operation = "read" | "bucket" | "wakeups" | "lease" | "advance" | "cursors" | "behind"

/** Done to every call before it reaches the backend. */
export type Fault = (operation: Operation) => Effect.Effect<void, StorageError>

/** A backend behind a fault. */
export const withFault = (
  services: Context.Context<BackendServices>,
  fault: Fault
): Context.Context<BackendServices> => {
  const feeds = Context.get(services, FeedStore)
  const progress = Context.get(services, StoreProgress)
  const guard =
    (operation: Operation) =>
    <A, E, R>(call: Effect.Effect<A, E, R>) =>
      Effect.andThen(
        Effect.suspend(() => fault(operation)),
        call
      )
  return services.pipe(
    Context.add(FeedStore, {
      ...feeds,
      read: (...args) => guard("read")(feeds.read(...args)),
      bucket: (...args) => guard("bucket")(feeds.bucket(...args)),
      wakeups: (storeId) => Stream.unwrap(guard("wakeups")(Effect.succeed(feeds.wakeups(storeId))))
    }),
    Context.add(StoreProgress, {
      ...progress,
      lease: (storeId) =>
        Effect.map(
          guard("lease")(progress.lease(storeId)),
          Option.map((lease) => ({ ...lease, advance: (processed) => guard("advance")(lease.advance(processed)) }))
        ),
      cursors: (storeIds) => guard("cursors")(progress.cursors(storeIds)),
      behind: (...args) => guard("behind")(progress.behind(...args))
    })
  )
}

const away = (operation: Operation, retryable: boolean) =>
  new StorageError({ operation, retryable, cause: new Error("the database is away") })

/** A backend of which the first `times` calls of an operation fail. */
export const failingAtFirst = (
  services: Context.Context<BackendServices>,
  operation: Operation,
  times: number,
  retryable = true
) => {
  let failed = 0
  return {
    services: withFault(services, (called) => {
      if (called !== operation || failed >= times) return Effect.void
      failed++
      return Effect.fail(away(operation, retryable))
    }),
    failed: () => failed
  }
}

/** A backend that can be away, or gone for good for this node: then no call of it returns, as for a process that died. */
export const makeConnection = (services: Context.Context<BackendServices>) => {
  let state: "up" | "away" | "cut" = "up"
  return {
    services: withFault(services, (operation) => {
      if (state === "cut") return Effect.never
      return state === "away" ? Effect.fail(away(operation, true)) : Effect.void
    }),
    become: (next: typeof state) => {
      state = next
    }
  }
}
