import { Effect, type Scope, Stream } from "effect"
import type { StoreErasedError } from "../backend/StorageError.ts"
import type { Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import type { ActiveStore } from "./activeStore.ts"
import type { Environment } from "./environment.ts"
import { type Patiently, untilAnswered } from "./outage.ts"
import { PassedIds } from "./PassedIds.ts"
import { type Holding, Page } from "./page.ts"
import { processPage } from "./processPage.ts"
import type { Turn } from "./turns.ts"

/** How a holder's work ended: nothing is left to do, or the store's processing stopped. */
export type Held = "AtHead" | "Stopped"

/** Nudges the store for commits of any node, until the scope closes. The first nudge comes at once. */
const listen = (environment: Environment, store: ActiveStore): Effect.Effect<void, never, Scope.Scope> => {
  const patiently = untilAnswered(environment.options.outageRetry)
  return environment.feeds.wakeups(store.storeId).pipe(
    Stream.runForEach(() => Effect.sync(store.nudge)),
    patiently,
    Effect.forkScoped,
    Effect.asVoid
  )
}

/** Waits, out of turn, until there may be something to do. `false`: for longer than the lease is kept. */
const waitForMore = (environment: Environment, store: ActiveStore, turn: Turn): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    yield* turn.end
    const isNudged = yield* Effect.raceFirst(
      Effect.as(store.nudged, true),
      Effect.as(Effect.sleep(environment.options.linger), false)
    )
    if (isNudged) yield* turn.begin
    return isNudged
  })

/** The page behind the cursor, and the head; `undefined` when the feed went backwards, which stops the store. */
const readOn = Effect.fnUntraced(function* (
  { environment: { feeds, options, stopped }, patiently, storeId }: Holding,
  cursor: number
): Effect.fn.Return<{ readonly page: Page; readonly head: number } | undefined, StoreErasedError> {
  const { entries, head } = yield* patiently(feeds.read(storeId, cursor + 1, options.pageLimits))
  if (cursor > head) {
    yield* stopped.add({ storeId, cursor, head })
    return undefined
  }
  if (entries.length === 0 && cursor < head) {
    return yield* Effect.die(new Error(`The page after ${cursor} is empty, but the head is ${head}`))
  }
  return { page: new Page(entries), head }
})

/** Processes a store page by page, for as long as there is something to do; other stores have their turns in between. */
export const hold = Effect.fnUntraced(function* (
  environment: Environment,
  store: ActiveStore,
  turn: Turn,
  lease: Lease,
  patiently: Patiently
): Effect.fn.Return<Held, LeaseLostError | StoreErasedError, Scope.Scope> {
  const { storeId } = store
  const ids = new PassedIds(environment.feeds, storeId)
  const holding: Holding = { environment, storeId, lease, turn, ids, patiently, timedOut: new Map() }
  let cursor = lease.cursor
  let isListening = false
  if (environment.stopped.holds(storeId, cursor)) return "Stopped"
  while (true) {
    store.quiet()
    // A slow handler may have ended it.
    yield* turn.begin
    const next = yield* readOn(holding, cursor)
    if (next === undefined) return "Stopped"
    const { head, page } = next
    if (page.hasMore) {
      yield* processPage(holding, page)
      cursor = page.reached
      // Handlers and a backend that answer at once would never let a timer or a socket have its turn.
      yield* Effect.yieldNow
    }
    if (cursor < head) {
      yield* Effect.andThen(turn.end, turn.begin)
      continue
    }
    if (!store.lingers) return "AtHead"
    if (!isListening) {
      yield* listen(environment, store)
      isListening = true
    }
    if (!(yield* waitForMore(environment, store, turn))) return "AtHead"
  }
})
